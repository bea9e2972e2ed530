"""A job's output goes through one pipe into its log: whole, in its order, whatever the job or anybody does to it."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.local.directory import JobDirectory
from actors.providers.local.liveness import Standing
from actors.providers.local.shim.log_pipe import drain, put
from tests.providers.local.stage import ENVIRONMENT, PATIENCE, Stage, is_alive, until

BY_NAME = """
for i in 1 2 3 4 5; do echo old$i; done
echo warn > /dev/{stream}
for i in 1 2 3 4 5; do echo new$i; done
echo last >> /dev/{stream}
"""


def drainer_of(shim: int, child: int) -> int | None:
    """The shim's other child."""
    listed = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
    alive = [int(pid) for pid in listed if int(pid) != child and is_alive(int(pid))]
    return alive[0] if alive else None


async def another_drainer(shim: int, child: int, but: int) -> int:
    """Wait until the shim has a drainer that is not ``but``."""
    found: list[int | None] = []
    await until(lambda: found.append(drainer_of(shim, child)) or found[-1] not in (None, but))
    assert found[-1] is not None
    return found[-1]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_job_that_opens_its_output_by_name_cuts_nothing_off(stage: Stage, stream: str) -> None:
    """``> /dev/stderr`` means "open and cut off": of a pipe there is nothing to cut."""
    await stage.ended(key := await stage.shell(BY_NAME.format(stream=stream)))
    old, new = ([f"{word}{number}" for number in range(1, 6)] for word in ("old", "new"))
    assert stage.log(key).split() == [*old, "warn", *new, "last"]


async def test_both_streams_keep_the_order_in_which_they_were_written(stage: Stage) -> None:
    script = "for i in $(seq 300); do echo out$i; echo err$i >&2; done"
    await stage.ended(key := await stage.shell(script))
    assert stage.log(key).split() == [f"{word}{number}" for number in range(1, 301) for word in ("out", "err")]


async def test_all_output_is_in_the_log_when_the_end_is_told(stage: Stage) -> None:
    """Twenty times what the pipe holds, written just before the end."""
    await stage.ended(key := await stage.submit("python3", "-c", "print('x' * 1_300_000)"))
    assert stage.log(key) == "x" * 1_300_000 + "\n"


async def test_the_end_of_a_job_does_not_wait_for_the_end_of_the_pipe(stage: Stage) -> None:
    """A process that is none of the job's holds it open; what was written is in the log all the same."""
    await stage.wrote(key := await stage.shell("echo said; touch ready; exec sleep 1000"), "ready")
    run = await stage.started(key)
    held = os.open(f"/proc/{run['child']}/fd/1", os.O_WRONLY)
    try:
        os.write(held, b"from elsewhere\n")
        await stage.provider.cancel(key, {})
        assert (await stage.ended(key)).phase is Phase.CANCELED
        assert stage.log(key) == "said\nfrom elsewhere\n"
        with pytest.raises(BrokenPipeError):  # SIGPIPE for a program: nobody reads any more
            os.write(held, b"late\n")
    finally:
        os.close(held)


async def test_a_job_that_closes_its_output_runs_on(stage: Stage) -> None:
    """The drainer sees the end of the pipe and goes; nobody puts another in its place."""
    script = "echo said; exec > /dev/null 2>&1; until [ -e go ]; do sleep 0.01; done; exit 3"
    key = await stage.shell(script)
    run = await stage.started(key)
    await until(lambda: drainer_of(run["shim"], run["child"]) is None)
    (stage.directory(key).work / "go").touch()
    assert (await stage.ended(key)).exit_code == 3
    assert stage.log(key) == "said\n"


@pytest.mark.parts
async def test_a_drainer_that_is_killed_is_replaced_and_nothing_is_lost(stage: Stage) -> None:
    script = "while [ ! -e go ]; do sleep 0.01; done; for i in $(seq 200); do echo line$i; done"
    key = await stage.shell(script)
    run = await stage.started(key)
    first = await another_drainer(run["shim"], run["child"], but=0)
    os.kill(first, signal.SIGKILL)
    await another_drainer(run["shim"], run["child"], but=first)
    (stage.directory(key).work / "go").touch()
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert stage.log(key).split() == [f"line{number}" for number in range(1, 201)]


@pytest.mark.parts
async def test_a_drainer_that_stands_still_keeps_no_job_from_its_end(stage: Stage) -> None:
    """Stopped, and deaf to a signal to end: it is woken."""
    await stage.wrote(key := await stage.shell("touch ready; until [ -e go ]; do sleep 0.01; done; echo last"), "ready")
    run = await stage.started(key)
    drainer = await another_drainer(run["shim"], run["child"], but=0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP):
        os.kill(drainer, number)
    (stage.directory(key).work / "go").touch()
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert stage.log(key) == "last\n"


@pytest.mark.parts
async def test_the_drainer_outlives_the_shim_and_goes_with_the_last_writer(stage: Stage) -> None:
    """What a survivor of a killed shim says is still written, and it meets no SIGPIPE."""
    script = (
        "setsid sh -c 'echo $$ > pid; mv pid ready; until [ -e go ]; do sleep 0.01; done; echo last; touch said' & wait"
    )
    key = await stage.shell(script)
    await stage.wrote(key, "ready")
    run = await stage.started(key)
    drainer = await another_drainer(run["shim"], run["child"], but=0)
    os.kill(run["shim"], signal.SIGKILL)
    await until(lambda: stage.look(key).standing is Standing.DEAD)
    (stage.directory(key).work / "go").touch()
    await until(lambda: not is_alive(drainer))
    assert stage.log(key) == "last\n"


def test_what_the_disk_refuses_is_counted_and_told_where_it_is_missing(tmp_path: Path) -> None:
    """A full disk takes nothing from the pipe's writer, and the log says how much it lacks."""
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    full = os.open("/dev/full", os.O_WRONLY)
    lost = put(log, memoryview(b"first\n"), 0)
    lost = put(full, memoryview(b"refused\n"), lost)
    lost = put(full, memoryview(b"too\n"), lost)
    assert lost == 12
    assert put(log, memoryview(b"later\n"), lost) == 0
    assert (tmp_path / "log").read_text() == "first\n\n[12 bytes lost]\nlater\n"
    os.close(log)
    os.close(full)


async def test_the_drainer_reads_on_while_the_disk_refuses(tmp_path: Path) -> None:
    """A job that prints to a full disk is not held up; half a megabyte goes through a pipe of 64 KiB."""
    source, sink = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)

    def write() -> None:
        with os.fdopen(sink, "wb") as file:
            file.write(b"x" * 500_000)

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, write)
            await trio.to_thread.run_sync(drain, source, full)
    os.close(source)
    os.close(full)


@pytest.mark.parts
async def test_a_log_on_a_full_disk_says_what_it_lacks(tmp_path: Path) -> None:
    """The job prints more than there is room for, makes room, and prints on: it is not held up, nor is its end.

    The disk is a small one in memory, mounted in a name space of the shim's own.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    directory = JobDirectory(disk / "job")
    program = "head -c 600000 /dev/zero | tr '\\0' x; rm ../fill; echo after"
    spec = {"argv": ["sh", "-c", program], "cwd": str(directory.work), "env": ENVIRONMENT}
    script = f"""
import subprocess, sys
from pathlib import Path
from actors.providers.local.directory import JobDirectory
from actors.providers.local.launching import SHIM
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", "{disk}"], check=True)
directory = JobDirectory(Path("{directory.path}"))
directory.place({{**{spec!r}, "gpus": 0, "grace_seconds": 1}})
(directory.path / "fill").write_bytes(bytes(200_000))
with directory.log.open("ab") as log:
    subprocess.run([sys.executable, "-I", "-S", SHIM, directory.path], check=True, stdout=log)
assert directory.exit.exists()
print(directory.log.read_text(), end="")
"""
    argv = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", script]
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(argv, capture_stdout=True)
    text = done.stdout.decode()
    (note,) = re.findall(r"\n\[(\d+) bytes lost\]\n", text)
    assert len(text) - len(f"\n[{note} bytes lost]\n") + int(note) == 600_000 + len("after\n")
    assert text.endswith("after\n")
