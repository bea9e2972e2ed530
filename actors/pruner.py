"""The pruner: removes jobs that ended longer ago than they are to be kept, first at their providers and then here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

import attrs
import trio

from actors.jobs.retention import Hold, PruneResult, kept_since
from actors.jobs.retry import FailureKind
from actors.kernel import Clock, Envelope, TickingActor
from actors.ledger import Ledger
from actors.ledger.prune import Ended, Removed, drop_keys, drop_notifications, merge_texts, remove, review
from actors.providers.guard import Failure, GuardedProvider
from actors.store import Transaction, retention
from logconf import bind_correlation_id, get_logger

_logger = get_logger("actors.pruner")
T = TypeVar("T")
P = ParamSpec("P")

FIRST_LOOK = 60.0
"""Seconds from the start to the first look, so that the start itself is not slowed down."""

BATCH, BATCH_FOR_OTHERS = 100, 20
"""How many jobs one transaction removes: while nobody else writes, and while others write.

Removing is not urgent, and a write that comes during a transaction, or while the log is moved, waits for its end. So
while others write, transactions are short, pauses long, and the log is moved after each
(``benchmarks/bench_history.py`` measures what others wait).
"""

PAUSE, PAUSE_FOR_OTHERS = 0.002, 0.1
"""Seconds between two transactions: while nobody else writes, and while others write."""

MERGE_AFTER, MERGED = 200, 80
"""After so many jobs so many pages of the text index are merged, and the write-ahead log is moved into the database.

With fewer pages the index would have more parts with every batch, and FTS5 merges them all at once when there are too
many. Both are done outside the removals, because inside one they would make it ten times as long.
"""

READ = 10 * BATCH
"""How many jobs are read at once."""

KEYS = 200
"""How many idempotency keys one transaction removes."""

HELD_AGAIN = 300.0
"""Seconds between two looks during a hold. A restart loses at most so much of the running time that ends the hold."""

_ABOUT_ONE_JOB = frozenset({FailureKind.INVALID, FailureKind.OTHER})
"""Failures that concern one job only. After any other failure the provider is not asked again during this pruning."""


class Pruner(TickingActor):
    """Looks one minute after the start and then every hour. ``days`` is how long ended jobs are kept (0: for ever)."""

    interval = 3600.0
    fault_limit = 5
    fault_message = "Error in pruning"

    def __init__(self, ledger: Ledger, providers: Mapping[str, GuardedProvider], clock: Clock, days: float) -> None:
        self._ledger = ledger
        self._providers = providers
        self._clock = clock
        self._days = days
        self._first = -math.inf
        self._reviewed = 0.0
        self._again = math.inf

    async def on_start(self) -> None:
        """Set the time of the first look."""
        self._reviewed = trio.current_time()
        self._first = self._reviewed + FIRST_LOOK

    def next_tick(self) -> float:
        """Return when to look next: at the regular time, or earlier during a hold; never before the first look."""
        return max(min(super().next_tick(), self._again), self._first)

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """Remove idempotency keys and then jobs that were kept long enough, unless the clock may be wrong."""
        before = kept_since(self._clock.now(), self._days)
        now = trio.current_time()
        self._again = now + HELD_AGAIN  # also where the next line fails: it must not be tried again at once
        hold = await held(self._ledger, before, now - self._reviewed)
        self._reviewed = now
        if hold is not None:
            return
        self._again = math.inf
        await prune_keys(self._ledger)
        await prune(self._ledger, self._providers, before)


async def held(ledger: Ledger, before: datetime | None, ran: float = 0.0) -> Hold | None:
    """Return why nothing may be removed now, if so. The first hold that keeps something logs a WARNING.

    ``ran`` is how many seconds the supervisor has run since the last call.
    """
    old, kept = (0, 0) if before is None else await ledger.read(retention.share, before)
    found = await ledger.write(review, old, kept, ran=ran)
    if found.warn and found.hold is not None:
        extra = {"jobs": found.old, "reason": found.hold.reason}
        _logger.warning("Nothing is removed by its age: %s", found.hold.in_words(), extra=extra)
    return found.hold


async def prune_keys(ledger: Ledger) -> None:
    """Remove the idempotency keys that are too old to count, one batch at a time."""
    writer = _PacedWriter(ledger)
    while await writer.write(drop_keys, KEYS) == KEYS:
        await writer.pause()


async def prune(
    ledger: Ledger,
    providers: Mapping[str, GuardedProvider],
    before: datetime | None,
    *,
    after: str = "",
    seconds: float = math.inf,
) -> PruneResult:
    """Remove every job that ended before the time ``before`` (None: none), one batch at a time.

    ``after`` limits it to jobs with greater ids. ``seconds`` is the time after which it stops, at the end of a batch;
    ``next`` of the result says where to continue.

    The provider of each job is asked first to forget it. If that fails, the job stays here too, until the next time. A
    provider that is no longer configured cannot be asked: the rows are removed, and what it stores stays there.
    """
    if before is None:
        return PruneResult(None)
    writer = _PacedWriter(ledger)
    while await writer.write(drop_notifications, before, KEYS) == KEYS:
        await writer.pause()
    result, end = PruneResult(before), trio.current_time() + seconds
    forgetting, unmerged = Forgetting(providers), 0
    while result.next is None and (left := await ledger.read(retention.ended, before, after, READ)):
        while left and result.next is None:
            size = BATCH_FOR_OTHERS if writer.others_write else BATCH
            batch, left = left[:size], left[size:]
            result = await _remove(writer, forgetting, result, before, batch)
            after = batch[-1].job_id
            if trio.current_time() >= end:
                result = attrs.evolve(result, next=after)
            unmerged += len(batch)
            if writer.others_write or unmerged >= MERGE_AFTER:
                await ledger.store.move_log()
            await writer.pause()
            if unmerged >= MERGE_AFTER:
                unmerged = 0
                await writer.write(merge_texts, MERGED)
                await writer.pause()
    forgetting.log_left()
    if result.jobs:
        extra = {"jobs": result.jobs, "events": result.events, "kept": result.kept}
        _logger.info("Removed %d jobs that ended before %s", result.jobs, before.isoformat(), extra=extra)
    return result


class _PacedWriter:
    """Writes the pruner's transactions, with a pause after each.

    ``others_write``: whether somebody else wrote before the last pause, after the one before it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.others_write = False
        self._ledger = ledger
        self._own = 0
        self._seen = ledger.store.closures

    async def write(self, verb: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As :meth:`Ledger.write`."""
        self._own += 1
        return await self._ledger.write(verb, *args, **kwargs)

    async def pause(self) -> None:
        """Sleep, for longer where somebody else has written since the last pause."""
        now = self._ledger.store.closures
        self.others_write = now > self._seen + self._own
        self._seen, self._own = now, 0
        await trio.sleep(PAUSE_FOR_OTHERS if self.others_write else PAUSE)


async def _remove(
    writer: _PacedWriter, forgetting: Forgetting, result: PruneResult, before: datetime, batch: Sequence[Ended]
) -> PruneResult:
    """Return ``result`` with the jobs of ``batch`` added that were removed."""
    gone = await forgetting.of(batch)
    removed = await writer.write(remove, before, gone) if gone else Removed(0, 0)
    oldest = min(one.completed_at for one in batch)
    return attrs.evolve(
        result,
        jobs=result.jobs + removed.jobs,
        events=result.events + removed.events,
        kept=result.kept + len(batch) - len(gone),
        oldest=min(oldest, result.oldest or oldest),
    )


class Forgetting:
    """Asks providers to forget jobs during one pruning, and remembers their answers."""

    def __init__(self, providers: Mapping[str, GuardedProvider]) -> None:
        self._providers = providers
        self._unavailable: dict[str, Failure] = {}
        self._failures: dict[str, Failure] = {}
        self._kept: Counter[str] = Counter()
        self._left: Counter[str] = Counter()

    async def of(self, batch: Sequence[Ended]) -> list[str]:
        """Return the ids of the jobs in ``batch`` for which no provider stores anything that it could still forget."""
        return [job.job_id for job in batch if await self._forgotten(job)]

    async def _forgotten(self, job: Ended) -> bool:
        provider = self._providers.get(job.provider)
        if provider is None:
            self._left[job.provider] += bool(job.handed)
            return True
        for key, handle in job.handed:
            with bind_correlation_id(job.correlation_id):
                failure = self._unavailable.get(job.provider) or await provider.forget(key, handle)
            if failure is not None:
                self._kept[job.provider] += 1
                self._failures[job.provider] = failure
                if failure.kind not in _ABOUT_ONE_JOB:
                    self._unavailable[job.provider] = failure
                return False
        return True

    def log_left(self) -> None:
        """Write one log line for each provider that could not forget some jobs."""
        for name, number in self._kept.items():
            extra = {"provider": name, "jobs": number, "error": self._failures[name].message}
            _logger.warning("%d old jobs are kept: %s could not forget them", number, name, extra=extra)
        for name, number in (+self._left).items():
            extra = {"provider": name, "jobs": number}
            _logger.warning("%d old jobs were removed, not at %s: it is not configured", number, name, extra=extra)
