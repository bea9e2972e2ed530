"""Timing what is done elsewhere, without a line there: an actor's messages and cycles, the writer's transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from actors.kernel import TickingActor
from actors.metrics.tallies import WORK, Histogram, Tallies
from actors.store import Executor

A = TypeVar("A", bound=TickingActor)
T = TypeVar("T")


def timed(actor: A, name: str, tallies: Tallies, *, cycle: str = "tick") -> A:
    """The same ``actor``, its messages and cycles timed under ``name``; for the factory of its incarnations.

    Done on the instance: the kernel's path of a message stays as short as it is, and an actor whose numbers nobody
    wants pays nothing. ``cycle``: the method that is one, where the tick only begins it.
    """
    messages = tallies.handling.setdefault(name, Histogram(WORK))
    cycles = tallies.cycles.setdefault(name, Histogram(WORK))
    for method, into in (("handle", messages), (cycle, cycles)):
        setattr(actor, method, _timing(getattr(actor, method), into))
    return actor


def _timing(method: Callable[[Any], Awaitable[T]], into: Histogram) -> Callable[[Any], Awaitable[T]]:
    async def timing(argument: Any) -> T:
        began = trio.current_time()
        try:
            return await method(argument)
        finally:
            into.observe(trio.current_time() - began)

    return timing


class TimedExecutor:
    """An executor of the store that times what it runs, waiting for its thread included."""

    def __init__(self, executor: Executor, into: Histogram) -> None:
        self._executor = executor
        self._into = into

    async def run(self, function: Callable[[], T]) -> T:
        """The result of ``function``."""
        began = trio.current_time()
        try:
            return await self._executor.run(function)
        finally:
            self._into.observe(trio.current_time() - began)
