"""Shims are forked from a zygote: they are alike in all to spawned ones."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.jobs.records import Phase, Resources
from actors.providers.errors import Unavailable
from actors.providers.local import LocalOptions, launching, zygote
from actors.providers.local.launching import SHIM
from actors.providers.local.shim.system import children_of, stat_fields
from tests.providers.local.stage import Stage, is_alive, until
from tests.providers.local.test_watch import listening
from tests.providers.local.zygotes import WAITS, living_children, pid_of

STATUS = ("Umask", "NoNewPrivs", "SigBlk", "SigIgn", "SigCgt", "CapEff", "Cpus_allowed", "Groups", "Uid")


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0")


def circumstances(pid: int, at: Path) -> dict[str, Any]:
    """What a process has from those that started it; names in the directory of its job are shortened."""
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    links = {int(one.name): re.sub(r"\[\d+\]", "", os.readlink(one)) for one in (proc / "fd").iterdir()}  # noqa: PTH115
    fields = stat_fields(pid)
    found = {
        "status": {name: status.get(name) for name in STATUS},
        "descriptors": sorted(links.values()),
        "standard": [links[number] for number in range(3)],
        "command": command_of(pid),
        "environment": (proc / "environ").read_bytes().rstrip(b"\0"),
        "leads": (fields[2] == fields[3] == str(pid), fields[4]),
        "nice": fields[16],
        "parent": fields[1] == str(os.getpid()),
        "cwd": os.readlink(proc / "cwd"),  # noqa: PTH115
        **{name: (proc / name).read_text() for name in ("limits", "oom_score_adj", "cgroup")},
    }
    return json.loads(json.dumps(found, default=repr).replace(at.name, "KEY"))  # type: ignore[no-any-return]


async def both(stage: Stage, forking: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The circumstances of a shim and of its program."""
    provider = stage.another(zygote=forking)
    key = await stage.submit("sleep", "1000", by=provider, resources=Resources(gpus=2))
    run, at = await stage.started(key), stage.directory(key).path
    await until(lambda: command_of(run["child"]).startswith(b"sleep"))
    await until(lambda: set(circumstances(run["shim"], at)["status"]["SigBlk"]) == {"0"})  # it waits for its signals
    found = circumstances(run["shim"], at), circumstances(run["child"], at)
    await provider.cancel(key, {})
    assert (await stage.ended(key, by=provider)).phase is Phase.CANCELED
    for one in found:
        one["cgroup"] = re.sub(r"greenroom-\w+", "greenroom", one["cgroup"])
        one["command"] = re.sub(r"greenroom-\w+", "greenroom", one["command"])
    return found


@pytest.fixture
def other_limits() -> Iterator[None]:
    """This process with another umask, bound of files and working directory than its zygote was started with."""
    files, umask, cwd = resource.getrlimit(resource.RLIMIT_NOFILE), os.umask(0o027), Path.cwd()
    resource.setrlimit(resource.RLIMIT_NOFILE, (files[0] - 1, files[1]))
    os.chdir("/tmp")
    yield
    os.chdir(cwd)
    os.umask(umask)
    resource.setrlimit(resource.RLIMIT_NOFILE, files)


async def test_a_forked_shim_and_its_program_are_like_spawned_ones(stage: Stage) -> None:
    """Descriptors, limits, signals, session, environment, command line: all that one process has from another."""
    stage.options = LocalOptions(cpus=2, gpus=("GPU-a", "GPU-b"))
    for forked, spawned in zip(await both(stage, True), await both(stage, False), strict=True):
        assert forked == spawned


async def test_what_the_supervisor_has_changed_reaches_forked_shims_too(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    """Its zygote is replaced."""
    stage.options = LocalOptions(cpus=2, gpus=("GPU-a", "GPU-b"))
    before = pid_of(stage)
    request.getfixturevalue("other_limits")
    assert pid_of(stage) != before
    shim, _ = await both(stage, True)
    assert shim["status"]["Umask"] == "0027"
    assert shim == (await both(stage, False))[0]


async def test_the_zygote_holds_nothing_of_a_job_and_has_no_children(stage: Stage) -> None:
    stage.options = LocalOptions(cpus=2, gpus=("GPU-a", "GPU-b"))
    found: list[tuple[int, int, int]] = []
    for _ in range(3):
        pid = pid_of(stage)
        await stage.ended(await stage.submit("true", resources=Resources(gpus=2)))
        folders = Path(f"/proc/{pid}/fd"), Path("/proc/self/fd")
        found.append((pid, *(len(os.listdir(folder)) for folder in folders)))  # type: ignore[arg-type]  # noqa: PTH208
        assert children_of(pid) == []
    assert len(set(found)) == 1
    assert found[0][1] == 4, "three to /dev/null, and its socket"


async def test_the_zygote_can_be_told_from_a_shim(stage: Stage) -> None:
    words = command_of(pid_of(stage)).split(b"\0")
    assert words[1:] == [b"-I", b"-S", os.fsencode(SHIM), b"zygote"]


async def test_changed_code_replaces_the_zygote(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code.py"
    code.write_text("1")
    monkeypatch.setattr(launching, "_code", lambda: [code])
    before = pid_of(stage)
    assert pid_of(stage) == before
    code.write_text("two")
    assert pid_of(stage) != before
    assert not is_alive(before)


async def test_a_signal_to_end_does_not_end_the_zygote_before_its_supervisor(stage: Stage) -> None:
    """A service manager sends it to all of a service; the terminal's to the supervisor's group, where it is not."""
    pid = pid_of(stage)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    await stage.ended(await stage.submit("true"))
    assert pid_of(stage) == pid
    assert os.getpgid(pid) != os.getpgid(0)


async def test_a_closed_provider_ends_its_zygote_and_no_job(stage: Stage) -> None:
    pid = pid_of(stage)
    ready = await stage.wrote(key := await stage.shell(WAITS), "ready")
    await stage.provider.aclose()
    assert not is_alive(pid)
    ready.with_name("go").touch()
    assert (await stage.ended(key, by=stage.another())).phase is Phase.SUCCEEDED


async def test_a_zygote_is_ended_whatever_the_number_of_its_descriptor(stage: Stage) -> None:
    """A server has thousands of connections, and ``select`` refuses descriptors from 1,024 on."""
    pid, found = pid_of(stage), stage.provider._jobs.shims._zygote
    assert found is not None
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4_096), before[1]))
    try:
        low, found._pidfd = found._pidfd, fcntl.fcntl(found._pidfd, fcntl.F_DUPFD_CLOEXEC, 2_000)
        os.close(low)
        await stage.provider.aclose()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not is_alive(pid)


async def test_a_provider_that_is_closed_starts_no_shim(stage: Stage) -> None:
    """A submission that was under way in a thread is refused, so the job surely does not run."""
    stage.provider._jobs.shims.close()
    with pytest.raises(Unavailable):
        await stage.submit("true", key="late")
    assert (await stage.another().observe_many({"late": {}})).absent == {"late"}


async def test_the_watch_starts_the_zygote_unless_it_is_switched_off(stage: Stage) -> None:
    for wanted in (True, False):
        provider = stage.another(zygote=False)
        provider._jobs.shims._may_fork = wanted  # as its options would say; the stage would not leave it to the watch
        async with listening(stage, provider) as listener:
            key = await stage.submit("true", by=provider)
            await listener.phase(key, lambda phase: phase is Phase.SUCCEEDED)
        assert (provider._jobs.shims._zygote is not None) is wanted


async def test_a_command_line_that_does_not_fit_is_not_forked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be no longer known as the shim of its directory."""
    before, others = pid_of(stage), living_children()
    monkeypatch.setattr(zygote, "TITLE_ROOM", 10)
    key = await stage.submit("sleep", "1000")
    run = await stage.started(key)
    assert command_of(run["shim"]).split(b"\0")[4] == os.fsencode(stage.directory(key).path)
    assert pid_of(stage) == before
    await until(lambda: living_children() <= others | {run["shim"]})
    await stage.provider.cancel(key, {})
    await stage.ended(key)
