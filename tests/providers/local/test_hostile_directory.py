"""The job directory belongs to the job: whatever it puts there, it harms itself alone (D5).

The table is made from the names that :class:`JobDirectory` knows, so that a new file is tried from its first day on.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from actors.jobs.records import Observation, Phase
from actors.providers.base import CancelAck
from actors.providers.local import LocalProvider
from actors.providers.local.directory import JobDirectory
from actors.providers.local.processes import processes_of
from actors.providers.local.shim.system import boot_id, start_ticks
from tests.providers.local.stage import ENDED, PATIENCE, Stage, is_alive, until

pytestmark = pytest.mark.parts

OUTSIDE = "what is not the job's"
MEMORY = 128 * 1024  # KiB by which the process may grow while it looks


def names() -> list[str]:
    """Every name in a job's directory that is read or written by anybody but the job."""
    place = JobDirectory(Path("/jobs/key"))
    found = [getattr(place, name) for name, one in vars(JobDirectory).items() if isinstance(one, property)]
    inside = {path.name for path in found if isinstance(path, Path) and path.parent == place.path}
    return sorted({*inside, "exit.new"})


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to(path.parents[3] / "outside")


def a_directory(path: Path) -> None:
    (path / "full").mkdir(parents=True)


def a_socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


def a_huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def nothing(path: Path) -> None:
    assert not os.path.lexists(path)


def a_forged_file(path: Path) -> None:
    """Right in form and false in content; the process that it names is this one, which a signal would end."""
    me = {"shim": os.getpid(), "shim_ticks": start_ticks(os.getpid())}
    child = {"child": os.getpid(), "child_ticks": start_ticks(os.getpid())}
    forged = {
        "exit.json": {"code": 0, "started_at": 1e18, "ended_at": float("nan"), "oom_kills": [1], "signal": "x"},
        "run.json": {**me, **child, "boot_id": boot_id(), "started_at": -1, "devices": []},
        "spec.json": {"argv": {}, "cwd": 1, "env": [], "gpus": "many", "job_id": ["x"], "max_runtime": "soon"},
    }
    path.write_text(json.dumps(forged.get(path.name, [[[{"message": 1}]]])))


def another_type(path: Path) -> None:
    path.write_bytes(b"[" * 50_000)


THINGS = (a_pipe, a_link, a_directory, a_socket, a_huge_file, nothing, a_forged_file, another_type)


def put(thing: Callable[[Path], None], path: Path) -> None:
    """What the job itself could do, being the same user."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    thing(path)


async def spoilt(stage: Stage, thing: Callable[[Path], None]) -> dict[str, str]:
    """A running job for each name, whose file of that name is ``thing``; they end when the test lets them."""
    outside = stage.root.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text(OUTSIDE)
    go = stage.root.parent / "go"
    keys = {}
    for name in names():
        keys[name] = await stage.shell(f"touch ready; until [ -e {go} ]; do sleep 0.02; done", key=f"job-{name}")
    for name, key in keys.items():
        await stage.wrote(key, "ready")
        put(thing, stage.directory(key).path / name)
    return keys


async def looked_at(stage: Stage, keys: list[str], by: LocalProvider) -> dict[str, Observation]:
    with trio.fail_after(PATIENCE):
        view = await by.observe_many({key: {} for key in keys})
    assert not view.failed
    assert not view.absent
    return dict(view.observations)


async def all_ended(stage: Stage, keys: list[str], by: LocalProvider) -> dict[str, Observation]:
    with trio.fail_after(PATIENCE):
        while True:
            seen = await looked_at(stage, keys, by)
            if all(one.phase in ENDED for one in seen.values()):
                return seen
            await trio.sleep(0.02)


@pytest.fixture
def memory() -> Callable[[], int]:
    """How much the process has grown at its worst, in KiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


@pytest.mark.parametrize("thing", THINGS)
async def test_a_job_that_spoils_its_directory_runs_to_its_own_end_and_hinders_nobody(
    stage: Stage, thing: Callable[[Path], None], memory: Callable[[], int]
) -> None:
    """It is running while its shim lives, for the next supervisor too; then its true end is told."""
    keys = await spoilt(stage, thing)
    for provider in (stage.provider, stage.another()):
        seen = await looked_at(stage, list(keys.values()), provider)
        assert {seen[key].phase for key in keys.values()} <= {Phase.RUNNING, Phase.STOPPING, Phase.STARTING}
    assert (await stage.ended(await stage.submit("true"))).phase is Phase.SUCCEEDED
    (stage.root.parent / "go").touch()
    ends = await all_ended(stage, list(keys.values()), stage.provider)
    assert {name: ends[key].phase for name, key in keys.items()} == dict.fromkeys(keys, Phase.SUCCEEDED)
    assert memory() < MEMORY


@pytest.mark.parametrize("thing", THINGS)
async def test_a_job_that_spoils_its_directory_and_loses_its_shim_has_an_end_or_is_uncertain_with_a_reason(
    stage: Stage, thing: Callable[[Path], None], memory: Callable[[], int]
) -> None:
    """Nothing is started a second time, and whoever a forged record names is left alone."""
    keys = await spoilt(stage, thing)
    for key in keys.values():
        for pid in shims_of(stage, key):
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: not is_alive(pid))
    for provider in (stage.provider, stage.another()):
        ends = await all_ended(stage, list(keys.values()), provider)
        for name, key in keys.items():
            assert ends[key].phase is Phase.SUCCEEDED or ends[key].error, name
            assert ends[key].phase is not Phase.LOST or ends[key].proven_dead or "not known" in (ends[key].error or "")
    assert not any(shims_of(stage, key) for key in keys.values())
    assert memory() < MEMORY


@pytest.mark.parametrize("thing", THINGS)
async def test_a_job_that_spoils_its_directory_can_be_cancelled_after_a_restart_and_forgotten(
    stage: Stage, thing: Callable[[Path], None]
) -> None:
    """Forgetting it removes what is its own and nothing that it points to."""
    keys = await spoilt(stage, thing)
    heir = stage.another()
    for key in keys.values():
        assert await heir.cancel(key, {}) is CancelAck.ACCEPTED
    ends = await all_ended(stage, list(keys.values()), heir)
    assert {name: ends[key].phase for name, key in keys.items()} == dict.fromkeys(keys, Phase.CANCELED)
    for key in keys.values():
        await heir.forget(key, {})
    assert list((stage.root / "jobs").iterdir()) == []
    assert (stage.root.parent / "outside" / "file").read_text() == OUTSIDE


@pytest.mark.parametrize("thing", [a_link, nothing, another_type, a_directory])
async def test_a_job_that_exchanges_its_whole_directory_is_never_run_again(
    stage: Stage, thing: Callable[[Path], None]
) -> None:
    go, runs = stage.root.parent / "go", stage.root.parent / "runs"
    (stage.root.parent / "outside").mkdir()
    script = f"echo run >> {runs}; touch ready; until [ -e {go} ]; do sleep 0.02; done"
    await stage.wrote(key := await stage.shell(script), "ready")
    directory = stage.directory(key)
    directory.path.rename(stage.root.parent / "moved")
    thing(directory.path)
    for provider in (stage.provider, stage.another()):
        assert (await looked_at(stage, [key], provider))[key].phase is Phase.RUNNING
    go.touch()
    seen = (await all_ended(stage, [key], stage.provider))[key]
    assert (seen.phase, seen.proven_dead) == (Phase.SUCCEEDED, True)  # as its shim has noted beside the directory
    assert (await stage.hand_over(key, "true")).existed
    assert runs.read_text() == "run\n"


@pytest.mark.parametrize("thing", [a_link, nothing, another_type])
async def test_a_job_that_exchanges_its_whole_directory_can_be_cancelled(
    stage: Stage, thing: Callable[[Path], None]
) -> None:
    """It is told to stop; that it was a cancel cannot be written down for its shim any more."""
    (stage.root.parent / "outside").mkdir()
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000"), "ready")
    directory = stage.directory(key)
    directory.path.rename(stage.root.parent / "moved")
    thing(directory.path)
    assert await stage.provider.cancel(key, {}) is CancelAck.ACCEPTED
    seen = (await all_ended(stage, [key], stage.provider))[key]
    assert (seen.phase, seen.proven_dead) == (Phase.FAILED, True)
    assert list((stage.root.parent / "outside").iterdir()) == []


@pytest.mark.parametrize("name", ["spec.json", "lock"])
@pytest.mark.parametrize("thing", [a_pipe, a_link, a_directory, a_socket, a_huge_file, a_forged_file, another_type])
async def test_a_job_that_was_never_started_and_cannot_be_has_an_end(
    stage: Stage, thing: Callable[[Path], None], name: str
) -> None:
    """Its directory was spoilt by somebody else before anybody ran it."""
    stage.provider  # noqa: B018 - makes the folders
    directory = stage.directory("never")
    env = {"PATH": os.environ["PATH"]}
    directory.place({"argv": ["true"], "cwd": "/", "env": env, "gpus": 0, "grace_seconds": 0.5})
    (stage.root.parent / "outside").mkdir()
    put(thing, directory.path / name)
    seen = (await all_ended(stage, ["never"], stage.provider))["never"]
    plain = thing in (a_huge_file, a_forged_file, another_type) and name == "lock"
    assert seen.phase is (Phase.SUCCEEDED if plain else Phase.FAILED)
    assert plain or "could not be started" in (seen.error or "")


async def test_a_forged_end_frees_nothing_while_the_job_lives(stage: Stage) -> None:
    """Neither beside a living shim nor after the job has killed it: the end is believed when nothing lives."""
    script = "setsid sleep 1000 & echo $! > new; mv new pid; wait"
    await stage.wrote(key := await stage.shell(script), "pid")
    directory = stage.directory(key)
    pid = int((directory.work / "pid").read_text())
    put(a_forged_file, directory.exit)
    put(nothing, directory.lock)
    assert (await stage.observe(key, by=stage.another())).phase is Phase.RUNNING
    for shim in shims_of(stage, key):
        os.kill(shim, signal.SIGKILL)
        await until(lambda shim=shim: not is_alive(shim))
    assert is_alive(pid)
    seen = await stage.ended(key)
    assert (seen.phase, is_alive(pid)) == (Phase.LOST, False)
    assert "exit record" in (seen.error or "")


@pytest.mark.parametrize("locks", [True, False])
async def test_only_who_holds_the_lock_is_the_shim(stage: Stage, locks: bool) -> None:
    """A fork of the shim that outlives it has its command line, and must not keep a lost job running."""
    directory = stage.directory("k")
    directory.path.mkdir(parents=True)
    lock = "fcntl.fcntl(f, fcntl.F_OFD_SETLK, struct.pack('@hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))" if locks else "0"
    code = f"import fcntl, struct, sys\nf = open('lock', 'w')\n{lock}\nprint('ready', flush=True)\nsys.stdin.read()\n"
    program = stage.root / "local" / "shim" / "__main__.py"
    program.parent.mkdir(parents=True)
    program.write_text(code)
    argv = [sys.executable, "-I", "-S", str(program), str(directory.path)]
    with subprocess.Popen(  # noqa: ASYNC220 - it ends with its input
        argv, cwd=directory.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert processes_of(directory).shims == ((process.pid,) if locks else ())
        assert process.stdin is not None
        process.stdin.close()


def shims_of(stage: Stage, key: str) -> list[int]:
    """By their command line, as the kernel tells it."""
    wanted = os.fsencode(stage.directory(key).path)
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[3:5][1:] == [wanted]:
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if is_alive(pid)]
