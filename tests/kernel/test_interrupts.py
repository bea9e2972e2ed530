"""KeyboardInterrupt at any line of the kernel's own bookkeeping: the actor is gone afterwards, and nobody waits."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trio
import trio.testing

import actors.kernel
from actors.kernel import Actor, ActorDown, ActorRef, CallTimeout, actor_spec
from supervision import open_supervisor

HOME = str(Path(actors.kernel.__file__).parent)


@pytest.fixture(autouse=True)
def sigint_is_heard() -> Iterator[None]:
    """A process that a shell has put into the background ignores it, and trio leaves that as it is."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Striker:
    """Raises SIGINT as the n-th line of the kernel is about to be executed in an actor's task."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.passed = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        return self.line if code.co_filename.startswith(HOME) and code.co_name not in ("call", "wait") else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.passed += 1
            if self.passed == self.at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}"
                signal.raise_signal(signal.SIGINT)
        return self.line


class Echo(Actor):
    async def handle(self, message: Any) -> Any:
        return message


def struck(at: int) -> tuple[Striker, ActorRef, int]:
    """A run with SIGINT at the ``at``-th line: what struck, the actor's reference, and how many callers still wait."""
    striker, ref, waiting = Striker(at), ActorRef("echo"), 0

    async def caller() -> None:
        with suppress(ActorDown, CallTimeout):
            await ref.call("hello")

    async def served(*, task_status: trio.TaskStatus[None]) -> None:
        with suppress(KeyboardInterrupt):
            async with open_supervisor([actor_spec(ref, Echo)]):
                task_status.started()
                await trio.sleep(2)

    async def main() -> None:
        nonlocal waiting
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(served)
            except RuntimeError:  # it was interrupted before it was ready
                return
            nursery.start_soon(caller)
            await trio.sleep(100)
            waiting = len(nursery.child_tasks)
            nursery.cancel_scope.cancel()

    before = sys.gettrace()
    sys.settrace(striker)
    try:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    except (KeyboardInterrupt, BaseExceptionGroup):  # it met a task of the host
        pass
    finally:
        sys.settrace(before)
    return striker, ref, waiting


def test_after_an_interrupt_at_any_line_the_actor_is_gone_and_nobody_waits() -> None:
    for at in itertools.count(1):
        striker, ref, waiting = struck(at)
        if not striker.where:  # the run has fewer lines
            break
        assert (ref.state, waiting) == ("gone", 0) or ref.incarnation == 0, striker.where
    assert at > 100
