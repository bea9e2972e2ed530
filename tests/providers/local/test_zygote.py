"""Shims are forked from a zygote: alike in all to spawned ones, and whatever happens to it, each job runs once."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

from actors.jobs.records import Phase, Resources
from actors.providers.local import LocalOptions, launching, zygote
from actors.providers.local.launching import SHIM
from actors.providers.local.shim.system import children_of, start_ticks, stat_fields
from tests.providers.local.stage import Stage, is_alive, ready_zygote, until
from tests.providers.local.test_watch import listening

STATUS = ("Umask", "NoNewPrivs", "SigBlk", "SigIgn", "SigCgt", "CapEff", "Cpus_allowed", "Groups", "Uid")
WAITS = "touch ready; until [ -e go ]; do sleep 0.01; done"
ONCE = "echo run >> ../output/runs"


def pid_of(stage: Stage) -> int:
    return ready_zygote(stage.provider)


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


async def test_the_watch_starts_the_zygote_unless_it_is_switched_off(stage: Stage) -> None:
    for wanted in (True, False):
        provider = stage.another(zygote=False)
        provider._jobs.shims._may_fork = wanted  # as its options would say; the stage would not leave it to the watch
        async with listening(stage, provider) as listener:
            key = await stage.submit("true", by=provider)
            await listener.phase(key, lambda phase: phase is Phase.SUCCEEDED)
        assert (provider._jobs.shims._zygote is not None) is wanted


async def test_a_command_line_that_does_not_fit_is_not_forked(stage: Stage) -> None:
    """It would be no longer known as the shim of its directory."""
    pid_of(stage)
    forking = stage.provider._jobs.shims._zygote
    assert forking is not None
    assert forking.fork(["x" * (zygote.TITLE_ROOM + 1)], []) is None


@pytest.mark.parts
async def test_a_zygote_ends_with_its_supervisor_killed_hard(stage: Stage) -> None:
    script = f"""
import os, signal, trio
from pathlib import Path
from tests.providers.local.stage import Stage, ready_zygote
async def main():
    stage = Stage(Path({str(stage.root)!r}))
    print(ready_zygote(stage.provider), flush=True)
    await stage.wrote(await stage.shell({WAITS!r}, key="orphan"), "ready")
    os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""
    done = await trio.run_process([sys.executable, "-c", script], check=False, capture_stdout=True)
    assert done.returncode == -signal.SIGKILL
    await until(lambda: not is_alive(int(done.stdout)))
    (stage.directory("orphan").work / "go").touch()
    assert (await stage.ended("orphan")).phase is Phase.SUCCEEDED


STRANGE = """
import errno, os, signal, sys
sys.path.append({folder!r})
from shim import zygote
fork = zygote.clone
def stop(number):
    os.kill(os.getpid(), number)
def forked(number):
    pid, fd = fork(*asked)
    if pid:
        stop(number)
    return pid, fd
def clone(*arguments):
    global asked
    asked = arguments
    {what}
zygote.clone = clone
zygote.serve()
"""
FAULTS = {
    "killed before the fork": "stop(signal.SIGKILL)",
    "killed after the fork": "return forked(signal.SIGKILL)",
    "stopped before the fork": "stop(signal.SIGSTOP); return fork(*asked)",
    "stopped after the fork": "return forked(signal.SIGSTOP)",
    "forbidden to fork": "raise OSError(errno.EAGAIN, 'no')",
    "out of its mind": "raise ValueError",
}


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the zygotes that are started from now on do this where they fork."""

    def make(what: str) -> None:
        script = tmp_path / "strange.py"
        script.write_text(STRANGE.format(folder=str(SHIM.parents[1]), what=what))
        monkeypatch.setattr(zygote, "SHIM", script)

    monkeypatch.setattr(zygote, "ANSWER_SECONDS", 0.5)
    return make


async def runs_once(stage: Stage, key: str) -> None:
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert (stage.directory(key).output / "runs").read_text() == "run\n"


@pytest.mark.parts
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_happens_to_the_zygote_where_it_forks_the_job_runs_once(
    stage: Stage, strange: Callable[[str], None], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And the zygote is gone after it, unless it has answered; the next job has no need of it."""
    strange(FAULTS[fault])
    pid, answers = pid_of(stage), fault == "forbidden to fork"
    await runs_once(stage, await stage.shell(ONCE))
    assert is_alive(pid) is answers
    assert bool([one for one in caplog.records if one.levelno == logging.WARNING]) is not answers
    await runs_once(stage, await stage.shell(ONCE))


@pytest.mark.parts
async def test_of_two_shims_the_loser_proves_nothing_of_the_one_that_runs(
    stage: Stage, strange: Callable[[str], None]
) -> None:
    """The answer was lost: how the job's shim is called is known from the job's directory alone."""
    strange(FAULTS["killed after the fork"])
    pid_of(stage)
    ready = await stage.wrote(key := await stage.shell(WAITS), "ready")
    known = stage.provider._jobs.shims.started.get(key)
    assert known is None or not known.reaped_by_us
    run = await stage.started(key)
    assert (await stage.observe(key)).phase is Phase.RUNNING
    assert start_ticks(run["shim"]) == run["shim_ticks"]
    ready.with_name("go").touch()
    await stage.ended(key)


@pytest.mark.parts
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_idle_zygote_that_is_killed_or_stopped_is_replaced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(zygote, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(zygote, "PAUSE_SECONDS", 0.0)
    before = pid_of(stage)
    os.kill(before, number)
    await runs_once(stage, await stage.shell(ONCE))
    assert pid_of(stage) != before
    assert not is_alive(before)
    await runs_once(stage, await stage.shell(ONCE))


@pytest.mark.parts
async def test_zygotes_killed_again_and_again_cost_no_job(stage: Stage) -> None:
    """At whatever moment that is: while the jobs are handed over, each zygote is killed as soon as it is there."""
    keys = [f"storm-{number}" for number in range(20)]

    async def submit() -> None:
        for key in keys:
            await stage.shell(ONCE, key=key)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(submit)
        while True:
            forking = stage.provider._jobs.shims._zygote
            if forking is not None and forking._ready and is_alive(forking._pid):
                with suppress(ProcessLookupError):
                    os.kill(forking._pid, signal.SIGKILL)
            await trio.lowlevel.checkpoint()
    for key in keys:
        await runs_once(stage, key)
