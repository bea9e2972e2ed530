"""However a process ends, what was logged is there, whole; and what it inherits or leaves behind is safe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.parts

REPOSITORY = Path(__file__).resolve().parents[2]
START = """
    import os, signal, sys, threading, time
    from logconf import configure_structured_logging, flush, get_logger
    configure_structured_logging(log_file="out.log", stream=None)
    log = get_logger("end")
    for number in range(5_000):
        log.info("%d", number)
"""


def numbers(path: Path) -> list[str]:
    """The messages of the file, every line being one JSON object."""
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


ALL = [str(number) for number in range(5_000)]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise ValueError('unhandled')", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(60)", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGTERM); threading.Event().wait(60)", -signal.SIGTERM),
        (
            "threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start(); threading.Event().wait(60)",
            -signal.SIGTERM,
        ),
        ("flush(); os._exit(4)", 4),
        ("flush(); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_nothing_is_lost(ending: str, status: int, run_script: Any, tmp_path: Path) -> None:
    result = run_script(START + f"    {ending}\n", check=False)
    assert result.returncode == status
    assert numbers(tmp_path / "out.log") == ALL


def test_the_status_after_sigterm_inside_trio_is_trios(run_script: Any, tmp_path: Path) -> None:
    """An application that handles SIGTERM itself is not interfered with, and its last lines are there."""
    source = """
    import trio
    async def main():
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            os.kill(os.getpid(), signal.SIGTERM)
            async for _ in signals:
                log.info("stopping")
                return
    trio.run(main)
"""
    assert run_script(START + source).returncode == 0
    assert numbers(tmp_path / "out.log") == [*ALL, "stopping"]


def test_a_handler_of_the_application_is_kept(run_script: Any) -> None:
    source = """
    import signal
    def mine(*args): pass
    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, mine)
    from logconf import configure_structured_logging
    configure_structured_logging(log_file="x")
    print(signal.getsignal(signal.SIGTERM) is mine and signal.getsignal(signal.SIGHUP) is mine)
    """
    assert run_script(source).stdout == "True\n"


def test_lines_of_other_exit_handlers_and_of_finalizers_are_written(run_script: Any, tmp_path: Path) -> None:
    source = """
    import atexit, sys
    class Last:
        def __del__(self): log.info("finalizer")
    atexit.register(lambda: log.info("registered before"))
    from logconf import configure_structured_logging, get_logger
    log = get_logger("end")
    configure_structured_logging(log_file="out.log", stream=None)
    atexit.register(lambda: log.info("registered after"))
    sys.keep = Last()
    """
    run_script(source)
    assert numbers(tmp_path / "out.log")[:2] == ["registered after", "registered before"]


def test_a_sink_nobody_reads_delays_no_task_and_the_exit_only_by_the_deadline(tmp_path: Path) -> None:
    """The loop's gaps stay under 20 ms although nobody ever reads stdout; what is lost is counted.

    A call that waited for the pipe would wait for ever: that the loop ends at all is the proof, the gaps are the size.
    """
    source = """
import json, sys, time, trio
from logconf import configure_structured_logging, get_logger, statistics
from logconf.writer import DRAIN_SECONDS
configure_structured_logging(queue_bytes=200_000)
log = get_logger("stalled")
async def main():
    gaps, emitted = [], 0
    before = time.thread_time()  # how busy the machine is beside this does not count
    while statistics()[0].dropped < 3_000:
        for _ in range(20):
            log.info("nobody reads this")
        emitted += 20
        await trio.sleep(0)
        now = time.thread_time()
        gaps.append(now - before)
        before = now
    seen = statistics()[0]
    gaps.sort()
    report = {"usual": gaps[len(gaps) * 97 // 100], "emitted": emitted, "dropped": seen.dropped, "ending": time.time()}
    print(json.dumps(report), file=sys.stderr, flush=True)
trio.run(main)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.wait(60) == 0
    ended = time.time()
    report = json.loads(process.stderr.read())
    lines = process.stdout.read()
    process.stdout.close()
    process.stderr.close()
    assert report["usual"] < 0.020  # the few beyond are the machine's own
    assert ended - report["ending"] < 2.0 + 30.0  # the drain's deadline, and the interpreter's own end
    assert lines.endswith(b"\n")
    whole = [json.loads(line) for line in lines.splitlines()]
    assert whole
    assert all(line["message"] == "nobody reads this" for line in whole)
    assert 0 < report["dropped"] < report["emitted"]


def test_a_slow_reader_gets_every_line_or_its_count() -> None:
    """Through a real pipe: lines read plus lines counted as dropped are the lines logged."""
    source = """
import os
from logconf import configure_structured_logging, get_logger, flush
configure_structured_logging(queue_bytes=100_000)
log = get_logger("slow")
for number in range(20_000):
    log.info("%d", number)
os.write(2, b"logged")
os.close(2)
flush(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stderr.read() == b"logged"  # nobody has read stdout until now
    lines = [json.loads(line) for line in process.stdout]
    assert process.wait(60) == 0
    process.stdout.close()
    process.stderr.close()
    dropped = sum(line["extra"]["dropped"] for line in lines if line["logger"] == "logconf")
    written = [int(line["message"]) for line in lines if line["logger"] == "slow"]
    assert dropped > 0
    assert len(written) + dropped == 20_000
    assert written == sorted(set(written))


@pytest.mark.parametrize("child_end", ["os._exit(0)", "sys.exit(0)"])
def test_a_forked_child_writes_each_line_once(child_end: str, run_script: Any, tmp_path: Path) -> None:
    source = f"""
    for number in range(20):
        log.info("before %d", number)
        child = os.fork()
        if child == 0:
            log.info("child %d", number)
            {child_end}
        os.waitpid(child, 0)
        log.info("after %d", number)
    """
    run_script(START + source)
    assert numbers(tmp_path / "out.log") == ALL + [
        f"{who} {number}" for number in range(20) for who in ("before", "child", "after")
    ]


def test_a_daemon_that_forks_away_loses_nothing(run_script: Any, tmp_path: Path) -> None:
    source = """
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    log.info("daemon")
    """
    run_script(START + source)
    assert numbers(tmp_path / "out.log") == [*ALL, "daemon"]


def test_multiprocessing_children_lose_nothing(run_script: Any, tmp_path: Path) -> None:
    source = """
    import multiprocessing
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: log.info("child"))
    child.start(); child.join()
    """
    run_script(START + source)
    assert numbers(tmp_path / "out.log") == [*ALL, "child"]


def test_sighup_opens_the_file_anew_and_ends_nothing(run_script: Any, tmp_path: Path) -> None:
    source = """
    flush()
    os.rename("out.log", "out.log.1")
    os.kill(os.getpid(), signal.SIGHUP)
    log.info("after")
    """
    run_script(START + source)
    assert numbers(tmp_path / "out.log.1") == ALL
    assert numbers(tmp_path / "out.log") == ["after"]


def test_a_full_disk_costs_lines_and_nothing_else(run_script: Any) -> None:
    """/dev/full refuses every byte: the program runs on, says nothing on stderr and ends in time."""
    source = """
    from logconf import configure_structured_logging, get_logger, statistics
    configure_structured_logging(log_file="/dev/full", stream=None)
    get_logger("x").error("lost")
    """
    started = time.monotonic()
    result = run_script(source)
    assert (result.stdout, result.stderr) == ("", "")
    assert time.monotonic() - started < 2.0 + 30.0  # the drain's deadline, and the machine's


def test_a_closed_stdout_costs_lines_and_nothing_else(run_script: Any) -> None:
    source = """
    import os
    from logconf import configure_structured_logging, get_logger
    configure_structured_logging()
    os.close(1)
    get_logger("x").error("lost")
    """
    assert run_script(source, check=False).stderr == ""
