"""Detects, from a thread, an event loop that is blocked.

A heartbeat cannot detect this: code that blocks the loop blocks the supervisor too. So a thread asks the loop for a
sign of life (`run_sync_soon`). If none comes within the limit, the thread records the stacks, and may end the process
so that its service manager starts it again.

    ChildSpec("watchdog", watchdog.run, args=(30.0, 70))       # 30 s; then exit status 70 (EX_SOFTWARE)

Code that holds the interpreter's lock while it blocks (a faulty C extension) stops this thread as well;
`faulthandler.dump_traceback_later` detects that. Limits here are real seconds, because the clock of a blocked loop, or
a mock clock, does not advance with it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import attrs
import trio

from logconf import flush, get_logger
from supervision import checks
from supervision.incarnations import running_child

logger = get_logger("supervision.watchdog")
T = TypeVar("T")


@attrs.frozen
class Stall:
    """The loop gave no sign of life for `seconds`.

    `stack`: what its thread was doing. `others`: the stacks of the other threads. `child`: the id of the supervised
    child whose code the loop was running; "": of none.
    """

    seconds: float
    stack: str
    others: str
    child: str = ""


def log_stall(stall: Stall) -> None:
    """The default for `on_stall`: log one ERROR with the stacks."""
    logger.error(
        "The event loop does not turn",
        extra={
            "seconds": stall.seconds, "child": stall.child, "stack": stall.stack, "other_threads": stall.others
        },
    )  # fmt: skip


async def run(
    limit: float = 10.0,
    exit_status: int | None = None,
    on_stall: Callable[[Stall], None] = log_stall,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Watch the event loop in which this runs; a child like any other. Raises SpecError for a limit that is not
    positive.

    `limit`: seconds without a turn of the loop that count as a stall. `exit_status`: end the process with it; None:
    only report, once for each stall. `on_stall`: called in a thread, which is waited for at most `limit` seconds.
    """
    stop = threading.Event()
    watcher = _Watcher(trio.lowlevel.current_trio_token(), threading.get_ident(), limit, exit_status, on_stall, stop)
    threading.Thread(target=watcher.watch, name="supervision-watchdog", daemon=True).start()
    try:
        task_status.started()
        await trio.sleep_forever()
    finally:
        stop.set()  # it is not waited for: it may be waiting for us


@attrs.frozen
class _Watcher:
    token: trio.lowlevel.TrioToken
    loop_thread: int
    limit: float = attrs.field(validator=checks.number(more_than=0))
    exit_status: int | None
    on_stall: Callable[[Stall], None]
    stop: threading.Event

    def watch(self) -> None:
        while not self.stop.wait(self.limit / 4):
            turned = threading.Event()
            asked = time.monotonic()
            try:
                self.token.run_sync_soon(turned.set)
            except trio.RunFinishedError:
                return
            if turned.wait(self.limit) or self.stop.is_set():
                continue
            self._report(time.monotonic() - asked)
            while not (turned.wait(self.limit) or self.stop.is_set()):
                pass  # one report a stall
            self._within_limit(_log_end, time.monotonic() - asked)

    def _report(self, seconds: float) -> None:
        frames = sys._current_frames()
        here = threading.get_ident()
        loop = frames.pop(self.loop_thread, None)
        stack = "".join(traceback.format_stack(loop))
        others = "\n".join("".join(traceback.format_stack(frame)) for thread, frame in frames.items() if thread != here)
        self._within_limit(self.on_stall, Stall(seconds, stack, others, running_child(loop)))
        if self.exit_status is not None:
            flush(1.0)
            os._exit(self.exit_status)

    def _within_limit(self, report: Callable[[T], object], about: T) -> None:
        """Call `report` in a thread of its own, and wait for it no longer than the limit.

        It may raise, or wait for ever: a log handler of the host's has a lock that the blocked thread may hold.
        """
        thread = threading.Thread(target=_call, args=(report, about), name="supervision-watchdog-report", daemon=True)
        with suppress(RuntimeError):  # no thread can be started
            thread.start()
            thread.join(self.limit)


def _call(report: Callable[[T], object], about: T) -> None:
    try:
        report(about)
    except Exception:
        logger.exception("A report about the event loop failed")


def _log_end(seconds: float) -> None:
    logger.warning("The event loop turns again", extra={"seconds": seconds})
