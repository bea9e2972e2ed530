"""Gives a notification to a command on its standard input.

The command is started from a list of arguments, without a shell, and gets three variables of the environment only. It
has a process group of its own and stays in the session of the supervisor: a process in another session would be taken
for one that a killed shim left (:mod:`actors.providers.local.subreaper`).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import trio

from actors.jobs.notifications import Outcome
from actors.providers.samples import sample

SECONDS = 60.0
"""How many seconds a command may run; after that its process group is ended."""
_GRACE = 2.0
_INHERITED = ("PATH", "HOME", "LANG")
_KEPT = 4_096
"""How many bytes of the command's standard error are kept (the last ones). All of it is read."""

_MOST_IN_A_PIPE = 1 << 20
"""Bytes that a pipe holds at most (Linux: fs.pipe-max-size)."""


async def run(argv: Sequence[str], content: bytes) -> Outcome:
    """Start the command ``argv`` with ``content`` on its standard input. Exit status 0 means that it was delivered."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        process = await trio.lowlevel.open_process(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=env, cwd="/", process_group=0,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Outcome(f"the command cannot be started: {sample(reason)}")
    errors = bytearray()
    ended = False
    try:
        with trio.move_on_after(SECONDS):
            await _talk(process, content, errors)
            ended = True
    finally:
        with trio.CancelScope(shield=True):
            await _end_group(process, gently=not ended)
    if not ended:
        return Outcome(f"the command was ended after {SECONDS:g} s")
    return _outcome(process.returncode, bytes(errors))


def _outcome(status: int | None, errors: bytes) -> Outcome:
    if status == 0:
        return Outcome()
    how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
    said = sample(errors)
    return Outcome(f"the command ended with {how}{f': {said}' if said else ''}")


async def _talk(process: trio.Process, content: bytes, errors: bytearray) -> None:
    """Write the input and read standard error until the command ends, and then what it had written before its end.

    What the command started may keep the pipes open longer; nobody waits for it.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_feed, process, content)
        nursery.start_soon(_read, process, errors)
        await process.wait()
        nursery.cancel_scope.cancel()
    _take_rest(process, errors)


async def _feed(process: trio.Process, content: bytes) -> None:
    assert process.stdin is not None
    with suppress(trio.BrokenResourceError):  # it need not read it
        await process.stdin.send_all(content)
    await process.stdin.aclose()


async def _read(process: trio.Process, errors: bytearray) -> None:
    assert process.stderr is not None
    async for piece in process.stderr:
        errors += piece
        del errors[:-_KEPT]


def _take_rest(process: trio.Process, errors: bytearray) -> None:
    """Read what is in the pipe at this moment, without waiting for more: a command that has ended writes no more."""
    assert isinstance(process.stderr, trio.lowlevel.FdStream)
    left = _MOST_IN_A_PIPE  # more is not its own: processes that it started go on writing
    with suppress(BlockingIOError):
        while left > 0 and (piece := os.read(process.stderr.fileno(), left)):
            left -= len(piece)
            errors += piece
    del errors[:-_KEPT]


async def _end_group(process: trio.Process, *, gently: bool) -> None:
    """End what is left of the command's process group: with SIGTERM first where the command still runs."""
    if gently and _signal(process.pid, signal.SIGTERM):
        with trio.move_on_after(_GRACE):
            await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()
    for stream in (process.stdin, process.stderr):
        if stream is not None:
            await trio.aclose_forcefully(stream)


def _signal(group: int, number: signal.Signals) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
