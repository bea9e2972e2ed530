"""A notification to a command: an argv, its standard input, its environment, and its end as a group (E11)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import trio

from actors.notification_targets import command
from actors.notification_targets.command import run

PYTHON = str(Path(sys.executable).resolve())
PROBE = """import json, os, sys
found = [sys.argv[1:], sys.stdin.read(), sorted(os.environ), os.getcwd(), os.getpgid(0) == os.getpid(), os.getsid(0)]
print(json.dumps(found), file=open(sys.argv[1], "w"))"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def until(condition):
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - another process's state signals nothing
            await trio.sleep(0.01)


async def test_it_gets_the_event_and_no_shell(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    out = tmp_path / "out"
    outcome = await run([PYTHON, "-c", PROBE, str(out), "$HOME;exit 1"], b'{"type": "failed"}')
    assert outcome.failure is None
    words, content, names, cwd, leads, session = json.loads(out.read_text())
    assert words[1] == "$HOME;exit 1"
    assert content == '{"type": "failed"}'
    assert set(names) - {"LC_CTYPE"} <= {"PATH", "HOME", "LANG"}
    assert cwd == "/"
    assert leads
    assert session == os.getsid(0)  # a process in another session counts as a job's orphan


async def test_an_exit_status_is_a_failure_with_what_it_said(mock_clock):
    """Time stands still: what it wrote last is read, however late this process comes to it."""
    outcome = await run(["sh", "-c", "echo no such channel token=abcdefgh12345678 >&2; exit 3"], b"")
    assert outcome.failure == "the command ended with exit status 3: no such channel token=***"
    assert not outcome.final


async def test_what_it_said_is_read_whole_however_long_this_process_was_busy(monkeypatch):
    """Where nothing was read before the command has ended, all of it is read then: no time decides."""

    async def busy(_process, _errors):
        await trio.sleep_forever()

    monkeypatch.setattr(command, "_read", busy)
    outcome = await run(["sh", "-c", "echo no such >&2; echo channel >&2; exit 3"], b"")
    assert outcome.failure == "the command ended with exit status 3: no such channel"


async def test_nobody_waits_for_what_it_started():
    """Although that holds its standard error open, and goes on writing to it."""
    outcome = await run(["sh", "-c", "yes >&2 & echo gone >&2; exit 3"], b"")
    assert outcome.failure.startswith("the command ended with exit status 3")


async def test_a_signal_and_a_program_that_is_not_there():
    assert "signal 9" in (await run(["sh", "-c", "kill -9 $$"], b"")).failure
    assert (await run(["/nowhere/prog"], b"")).failure == "the command cannot be started: No such file or directory"


async def test_it_need_not_read_its_input():
    assert (await run(["true"], b"x" * 1_000_000)).failure is None


async def test_what_it_floods_is_not_kept():
    assert (await run(["sh", "-c", "head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero"], b"")).failure is None


async def test_its_whole_group_is_ended_after_a_while(tmp_path, mock_clock):
    """Its time begins to pass when all of it runs."""
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait; sleep 1000"
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def pass_time():
            while not pids.exists():
                await trio.lowlevel.checkpoint()
            mock_clock.rate = 1000.0

        outcome = await run(["sh", "-c", script], b"")
    mock_clock.rate = 1.0
    assert outcome.failure == f"the command was ended after {command.SECONDS:g} s"
    for pid in map(int, pids.read_text().split()):
        await until(lambda pid=pid: not alive(pid))


async def test_what_it_leaves_behind_ends_with_it(tmp_path):
    pid_file = tmp_path / "pid"
    assert (await run(["sh", "-c", f"sleep 1000 & echo $! > {pid_file}"], b"")).failure is None
    pid = int(pid_file.read_text())
    await until(lambda: not alive(pid))


async def test_it_ends_when_its_delivery_is_cancelled(tmp_path):
    pid_file = tmp_path / "pid"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, ["sh", "-c", f"echo $$ > {pid_file}; exec sleep 1000"], b"")
        await until(lambda: pid_file.exists() and pid_file.read_text().strip())
        nursery.cancel_scope.cancel()
    assert not alive(int(pid_file.read_text()))
