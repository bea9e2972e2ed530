"""Errors that were not injected: every error of an actor, a process or a client must be explained by a fault."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from types import TracebackType

import trio

from actors.kernel import ActorDown, CallTimeout, MailboxFull
from actors.simulation.trace import Killed
from actors.simulation.world import World
from actors.store import StoreError
from supervision import ChildStartError, RestartIntensityReached
from supervision.errors import leaves
from supervision.faults import InjectedFault

_RULE = "no crash that nobody injected"
_PLANNED: tuple[type[BaseException], ...] = (InjectedFault, Killed, trio.Cancelled)
_FOLLOWS = (RestartIntensityReached, ChildStartError, ActorDown)


def unplanned(error: BaseException, world: World) -> list[BaseException]:
    """The leaves of ``error``, its causes included, that no step of the script explains."""
    found = []
    for leaf in leaves(error):
        if isinstance(leaf, _FOLLOWS):
            # Supervision gave up, or an actor is down: the reason below it must have been planned.
            found += unplanned(leaf.__cause__, world) if leaf.__cause__ is not None else []
        elif not _explained(leaf, world):
            found.append(leaf)
    return found


def _explained(leaf: BaseException, world: World) -> bool:
    if isinstance(leaf, StoreError):
        return world.database.disk.failed > 0
    if isinstance(leaf, (CallTimeout, MailboxFull)):
        return world.trace.reached["fault point"] > 0
    return isinstance(leaf, _PLANNED)


def describe(error: BaseException) -> str:
    """``error`` with the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def judge_end(world: World, error: BaseException, *, killed: bool) -> None:
    """A process that was not killed ends in order, or because its injected faults spent a budget."""
    if killed:
        return
    world.say(f"the process ends with {type(error).__name__}")
    world.trace.count("process gave up")
    for leaf in unplanned(error, world):
        world.broken(_RULE, describe(leaf))


class Crashes(logging.Handler):
    """Listens to what is logged at ERROR while a process lives."""

    def __init__(self, world: World, dead: Callable[[], bool]) -> None:
        super().__init__(logging.ERROR)
        self._world = world
        self._dead = dead

    def emit(self, record: logging.LogRecord) -> None:
        """One record; its exception must have been planned."""
        if self._dead():
            return
        error = record.exc_info[1] if record.exc_info else None
        self._world.trace.count("errors logged")
        for leaf in unplanned(error, self._world) if error is not None else ():
            self._world.broken(_RULE, f"{record.getMessage()}: {describe(leaf)}")

    def __enter__(self) -> Crashes:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        logging.getLogger().removeHandler(self)
