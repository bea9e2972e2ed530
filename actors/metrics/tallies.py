"""Numbers that only grow: histograms and counts of events; and the timing of what is done elsewhere.

How long a job waited is known from its events alone: the time between the one that allowed it to run and the one that
dispatched it, without the time before ``queued_at`` (while it waited for other jobs or for its time). A job that was
allowed to run before this process began is left out rather than guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import trio

from actors.jobs.durations import seconds_between
from actors.jobs.events import EventType
from actors.jobs.records import TERMINAL_JOBS, Event
from actors.kernel import TickingActor
from actors.net.client_faults import ClientFaults
from actors.store import Executor

WAITS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400)
"""Bounds in seconds for what waits on people and machines: up to a day."""
CALLS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""For what waits on a provider: up to its longest allowed answer."""
WORK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
"""For work of ours: a transaction, a message, a cycle."""

MOST_REMEMBERED = 20_000
"""Jobs whose wait is being timed at once; past that the oldest are forgotten, and not counted."""

_LET_RUN = frozenset({EventType.JOB_QUEUED, EventType.APPROVAL_GRANTED, EventType.JOB_REQUEUED, EventType.JOB_RERUN})
_ACCEPTED = frozenset({EventType.JOB_QUEUED, EventType.APPROVAL_REQUESTED})
_ENDS = frozenset(status.value for status in TERMINAL_JOBS)


class Histogram:
    """How often values fell between bounds, and their sum. ``counts`` has one place more than ``bounds``: beyond."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count ``value``; a bound belongs to what lies below it, as Prometheus has it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Each bound as a label with how many lie at or below it, ``+Inf`` last."""
        total, found = 0, []
        for bound, count in zip((*map(repr, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Tallies:
    """All that is counted in one runtime.

    ``handling`` and ``cycles``: seconds, by actor. ``commits``: seconds of the writer's transactions, the hop into its
    thread included. ``deliveries``: webhooks that came in, by what was done about them. ``subscribers``: streams of
    events that are open. ``client_faults``: what clients did wrong. ``loop_stalls``: how often the event
    loop did not turn for long.
    """

    def __init__(self) -> None:
        self.queue_wait = Histogram(WAITS)
        self.dispatch = Histogram(CALLS)
        self.commits = Histogram(WORK)
        self.handling: dict[str, Histogram] = {}
        self.cycles: dict[str, Histogram] = {}
        self.events: Counter[str] = Counter()
        self.accepted = 0
        self.ended: Counter[str] = Counter()
        self.deliveries: Counter[str] = Counter()
        self.subscribers = 0
        self.loop_stalls = 0
        self.client_faults = ClientFaults()
        self._let_run: dict[str, datetime] = {}
        self._claimed: dict[str, datetime] = {}

    def note(self, event: Event) -> None:
        """Count one event; every event comes here once, in order."""
        self.events[event.type] += 1
        if event.job_id is None:
            return
        if event.type in _ACCEPTED:
            self.accepted += 1
        if event.type in _LET_RUN:
            self._claimed.pop(event.job_id, None)
            _remember(self._let_run, event)
        elif event.type == EventType.JOB_DISPATCHED:
            _observe_since(self._let_run, event, self.queue_wait, event.data.get("queued_at"))
            _remember(self._claimed, event)
        elif event.type == EventType.JOB_HANDED_OVER:
            _observe_since(self._claimed, event, self.dispatch)
        if (status := event.data.get("status")) in _ENDS:
            self.ended[str(status)] += event.type not in (EventType.JOB_PROGRESS, EventType.JOB_CANCEL_REQUESTED)
            self._let_run.pop(event.job_id, None)
            self._claimed.pop(event.job_id, None)

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """One stream of events is open for the length of the block."""
        self.subscribers += 1
        try:
            yield
        finally:
            self.subscribers -= 1


def _remember(times: dict[str, datetime], event: Event) -> None:
    assert event.job_id is not None
    times.pop(event.job_id, None)
    times[event.job_id] = event.time
    if len(times) > MOST_REMEMBERED:
        del times[next(iter(times))]


def _observe_since(times: dict[str, datetime], event: Event, into: Histogram, not_before: str | None = None) -> None:
    """Count the time from the remembered one, or from ``not_before`` if that is later, until the event.

    The wall clock may have been stepped back meanwhile: a wait is never negative.
    """
    assert event.job_id is not None
    if (since := times.pop(event.job_id, None)) is not None:
        if not_before is not None:
            since = max(since, datetime.fromisoformat(not_before))
        into.observe(seconds_between(since, event.time))


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
