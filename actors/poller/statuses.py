"""Observes a provider's jobs in as few requests as it allows, and records what changed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime

import trio

from actors.jobs.durations import seconds_between
from actors.jobs.polling import ObservationVerdict, interpret
from actors.jobs.records import Observation
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.ledger.observe import Recorded, denied, record
from actors.ledger.queries import InFlight
from actors.poller.series_turns import SeriesTurns
from actors.providers.base import Listing, View
from actors.providers.breaker import BreakerState
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id, get_logger

_logger = get_logger("actors.poller")

_AT_ONCE = 500
"""Observations that are interpreted before other tasks get a turn, and recorded in one transaction."""

_LONGEST_JITTER = 0.1
_SHARE_OF_BEAT = 0.5
"""The most seconds by which one of many requests is delayed, and the part of an interval that all delays may take."""


async def for_each_limited(
    provider: GuardedProvider, in_flight: Sequence[InFlight], do: Callable[[InFlight], Awaitable[None]]
) -> None:
    """Call ``do`` for each of ``in_flight``, as many at once as the provider allows calls.

    Stops between two of them when the provider's breaker opens: the rest waits for a later round.
    """
    if not in_flight:  # as in most rounds: a checkpoint, as where a nursery ends, which costs more
        await trio.lowlevel.cancel_shielded_checkpoint()
        return
    left: Iterator[InFlight] = iter(in_flight)

    async def work() -> None:
        for one in left:
            if provider.breaker.retry_after:
                return
            await do(one)

    async with trio.open_nursery() as nursery:
        for _ in range(min(provider.capabilities.concurrent_calls, len(in_flight))):
            nursery.start_soon(work)


LEFT_OUT_AT_MOST = 4
"""The most cycles in a row in which an old job is not observed."""

OLD_AFTER = 1800.0
"""Seconds without a change after which a job is left out of one cycle; out of two after twice as long, and so on."""


def cycles_left_out(unchanged: float) -> int:
    """In how many cycles in a row a job is left out that did not change for ``unchanged`` seconds.

    Only if each job costs a request of its own. A job that has run for an hour will hardly end in the next half minute,
    and learning of its end a little later costs less than a request for each such job.
    """
    return min(LEFT_OUT_AT_MOST, max(0, int(unchanged // OLD_AFTER)))


class Statuses:
    """Observes the jobs of one ``provider``. ``beat``: seconds between cycles; ``jitter`` draws numbers from 0 to 1."""

    def __init__(
        self, provider: GuardedProvider, ledger: Ledger, clock: Clock, beat: float, jitter: Callable[[], float]
    ) -> None:
        self._provider = provider
        self._ledger = ledger
        self._clock = clock
        self._beat = beat
        self._jitter = jitter
        self._left_out: dict[str, int] = {}
        self._asked: dict[str, float] = {}
        self._warned: dict[str, str] = {}
        self._changed: dict[str, tuple[datetime, float]] = {}
        self.series = SeriesTurns()
        self._has_room = True

    # Which.

    def due(self, in_flight: Sequence[InFlight]) -> list[InFlight]:
        """Those to observe in this cycle: all, except old ones where each job costs a request."""
        if self._provider.capabilities.listing is not Listing.NONE:
            return list(in_flight)
        before, self._left_out = self._left_out, {}
        chosen = []
        unchanged = self._unchanged(in_flight)
        for one in in_flight:
            cycles = before.get(one.key, 0)
            if cycles < cycles_left_out(unchanged[one.key]):
                self._left_out[one.key] = cycles + 1
            else:
                chosen.append(one)
        return chosen

    def silent(self, in_flight: Sequence[InFlight], seconds: float) -> list[InFlight]:
        """The jobs that the safety net observes: they did not change, and were not requested, for that long."""
        if not seconds:
            return []
        now = trio.current_time()
        unchanged = self._unchanged(in_flight)
        self._asked = {key: at for key, at in self._asked.items() if now - at < seconds}
        found = [one for one in in_flight if unchanged[one.key] >= seconds and one.key not in self._asked]
        self._asked |= {one.key: now for one in found}
        return found

    def _unchanged(self, in_flight: Sequence[InFlight]) -> dict[str, float]:
        """Seconds since each job's row changed, on trio's clock since that change was first seen here.

        Before that by the wall clock, which may have been wrong: never less than 0.
        """
        now, wall = trio.current_time(), self._clock.now()
        before, self._changed = self._changed, {}
        for one in in_flight:
            known = before.get(one.key)
            if known is None or known[0] != one.job.updated_at:
                known = (one.job.updated_at, now - seconds_between(one.job.updated_at, wall))
            self._changed[one.key] = known
        return {key: now - at for key, (_, at) in self._changed.items()}

    # Observing.

    async def observe(self, in_flight: Sequence[InFlight]) -> frozenset[str]:
        """Observe these jobs and record what changed; the keys of those whose status was read."""
        if not in_flight:
            return frozenset()
        self._warned = {one.key: self._warned[one.key] for one in in_flight if one.key in self._warned}
        if self._provider.capabilities.listing is Listing.NONE:
            return await self._observe_each(in_flight)
        return await self._observe_together(in_flight)

    async def _observe_together(self, in_flight: Sequence[InFlight]) -> frozenset[str]:
        handles = {one.key: one.submission.handle or {} for one in in_flight}
        if len(in_flight) == 1:  # a request about one job carries the job's ID, one about many the cycle's (A14)
            with bind_correlation_id(in_flight[0].job.correlation_id):
                view = await self._provider.observe_many(handles)
        else:
            view = await self._provider.observe_many(handles)
        if isinstance(view, Failure):
            self._could_not_ask(view, in_flight[0].key if len(in_flight) == 1 else None)
            return frozenset()
        return await self._take(in_flight, view)

    async def _observe_each(self, in_flight: Sequence[InFlight]) -> frozenset[str]:
        """One request for each job, spread a little, so that they do not all come at once on every beat."""
        workers = self._provider.capabilities.concurrent_calls
        number = len(in_flight)
        longest = min(_LONGEST_JITTER, _SHARE_OF_BEAT * self._beat * workers / number) if number > 1 else 0.0
        failures: list[tuple[str, Failure]] = []
        read: set[str] = set()

        async def ask(one: InFlight) -> None:
            await trio.sleep(longest * self._jitter())
            with bind_correlation_id(one.job.correlation_id):
                view = await self._provider.observe_many({one.key: one.submission.handle or {}})
            if isinstance(view, Failure):
                failures.append((one.key, view))
                self._not_read(one, view.message)
            else:
                read.update(await self._take([one], view))

        await for_each_limited(self._provider, in_flight, ask)
        if failures:
            key, failure = failures[-1]
            self._could_not_ask(failure, key if len(failures) == 1 else None)
        return frozenset(read)

    def _could_not_ask(self, failure: Failure, key: str | None = None) -> None:
        """One WARNING a round; none where the breaker has given one, until the provider answers again.

        ``key``: the only job that was asked about, or could not be: that opens no breaker, and is logged once.
        """
        level = logging.WARNING if self._provider.breaker.state is BreakerState.CLOSED else logging.DEBUG
        if key is not None and (failure.cause is None or getattr(failure.cause, "reached", True)):
            level = logging.DEBUG if self._warned.get(key) == failure.message else level
            self._warned[key] = failure.message
        _logger.log(
            level, "Provider %s could not be asked: %s", self._provider.name, failure.message,
            extra={"provider": self._provider.name},
        )  # fmt: skip

    # Recording.

    async def _take(self, in_flight: Sequence[InFlight], view: View) -> frozenset[str]:
        by_key = {one.key: one for one in in_flight}
        for key, reason in view.failed.items():
            self._not_read(by_key[key], reason)
        reason = f"provider {self._provider.name} no longer knows it"
        seen = {**view.observations, **{key: denied(reason) for key in sorted(view.absent)}}
        keys = list(seen)
        for start in range(0, len(keys), _AT_ONCE):
            await self._record(by_key, {key: seen[key] for key in keys[start : start + _AT_ONCE]})
            await trio.lowlevel.checkpoint()
        return frozenset(seen)

    async def _record(self, by_key: Mapping[str, InFlight], observations: Mapping[str, Observation]) -> None:
        """Record only what changed: most observations repeat what is known, and cost no transaction."""
        now = self._clock.now()
        news = {}
        for key, reported in observations.items():
            one, seen = by_key[key], self.series.in_turn(key, reported)
            verdict = interpret(one.job, one.entry_status, seen, now)
            if _is_news(one, verdict) or seen.series is not None:
                news[key] = seen
            elif verdict.note is not None and verdict.uncertain is None:
                self._note(one, *verdict.note)
        if news:
            handles = {key: by_key[key].submission.handle for key in news}
            written = await self._ledger.write(record, news, handles)
            self.series.written(news)
            for recorded in written:
                self._note_recorded(recorded)
            if any(seen.series is not None for seen in news.values()):
                self._note_room(all(recorded.has_room for recorded in written))

    def _note(self, one: InFlight, level: int, text: str) -> None:
        """Log what a verdict noted; the same WARNING about one job only once."""
        if level >= logging.WARNING and self._warned.get(one.key) == text:
            level = logging.DEBUG
        self._warned[one.key] = text
        log_job(one, text, level, self._provider.name, depth=3)

    def _note_recorded(self, recorded: Recorded) -> None:
        if recorded.note is not None:
            with bind_correlation_id(recorded.correlation_id):
                level, text = recorded.note
                extra = {"job_id": recorded.job_id, "provider": self._provider.name}
                _logger.log(level, text, extra=extra, stacklevel=2)

    def _note_room(self, has_room: bool) -> None:
        """One WARNING when series can no longer be kept, until they can again."""
        if self._has_room and not has_room:
            _logger.warning(
                "Series of running jobs are not kept whole: series.max_bytes (%d) is reached; raise it, or remove jobs",
                self._ledger.store.series_bytes,
            )
        self._has_room = has_room

    def _not_read(self, one: InFlight, reason: str) -> None:
        with bind_correlation_id(one.job.correlation_id):
            extra = {"job_id": one.job.job_id, "provider": self._provider.name}
            _logger.debug("Failed to sync job %s: %s", one.job.job_id, reason, extra=extra, stacklevel=2)


def _is_news(one: InFlight, verdict: ObservationVerdict) -> bool:
    doubted = verdict.uncertain is not None and one.job.uncertain_since is None
    return bool(verdict.trigger or verdict.changes) or doubted


def log_job(one: InFlight, text: str, level: int, provider: str, depth: int = 2) -> None:
    """A line about one job, under its own correlation ID; its source is the ``depth``-th frame, 2 being the caller."""
    with bind_correlation_id(one.job.correlation_id):
        extra = {"job_id": one.job.job_id, "provider": provider}
        _logger.log(level, "Job %s: %s", one.job.job_id, text, extra=extra, stacklevel=depth)
