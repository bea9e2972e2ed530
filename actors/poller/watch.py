"""One provider's watch: settles, cancels and observes its submissions, one round at a time.

Each provider has a watch of its own, so one that fails or hangs delays no other. A round is requested by the interval,
by an event or by the provider's own news; requests that come during a round are answered by the next one.

**States of a submission, as a round finds them in its row:**

- *intent*: the scheduler's call is being made. The round leaves it alone; news about its job (a delivery can be faster
  than the answer to the call) is remembered until the row says *handed*.
- *unknown*: the answer was lost. The provider is asked under the key: it has the job (handed), certainly does not have
  it (requeued), or cannot tell (the job becomes uncertain, and only a person settles it).
- *handed*: the provider has it. It is observed; if its cancel was requested, the cancel is sent, and sent again only
  after the job was seen to run on.
- *closed*: not read any more.

Jobs that were restored from a backup are looked up before anything else (:mod:`actors.poller.look_ups`); until that is
done, a round leaves their rows alone.

**Invariants.** Rounds of one watch never overlap, so no two calls about one submission are made from here. A round
keeps nothing that matters: what is to be done is in rows, and what it found is written by the ledger, which applies
each observation once, never backwards. So a process that is killed between any two lines is only late: the next round
reads the same rows. A lost answer to a cancel or an observation is the same as none. What is kept in memory (requests
for a round, cancels that were sent, when to look again) only decides which round looks at what: a new process begins
with a look at everything.

**Between the read of the rows and the provider's answer** the job may have ended, been cancelled, or its submission
been closed by a delivery. The ledger therefore decides by the rows of its own transaction, not by those that the round
read.

While the circuit breaker of a provider is open, its rounds are postponed; settlements and cancels stay in the rows
meanwhile.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence

import attrs
import trio

from actors.jobs.records import SubmissionState
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.ledger.dispatch import hand_over
from actors.ledger.observe import cannot_tell
from actors.ledger.queries import InFlight, in_flight_at
from actors.ledger.settle import settle_absent
from actors.poller.cancels import Cancels
from actors.poller.first_look import FirstLook
from actors.poller.look_ups import LookUps
from actors.poller.statuses import Statuses, for_each_limited, log_job
from actors.providers.base import ABSENT, UNKNOWABLE, Submitted
from actors.providers.breaker import BreakerState
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id, get_correlation_id, get_logger, new_correlation_id

_logger = get_logger("actors.poller")

_MOST_NAMED = 1000
"""The most keys in one query; for more of them all rows are read, which costs less."""

_SOONEST = 0.5
"""The least seconds from a round to the next one that is due only because of a deadline."""
_ASK_AGAIN = 5.0
"""Seconds after which an unknown submission is settled again where the provider could not be reached."""


@attrs.define
class Round:
    """What a round is to look at: everything, or the jobs of some keys.

    ``keys``: of jobs whose status is requested. ``rows``: of jobs whose rows alone are read, to settle or cancel them.
    ``observe``: request statuses, too; else only of jobs that did not change for ``silent_for`` seconds (0: of none).
    ``first``: it is the look at all jobs that a provider which is not polled gets at the start.
    ``correlation_id``: that of the cycle that requested it, None for none. ``waiters``: set when it has ended.
    ``fault``: what failed it. ``synced``: how many jobs it read.
    """

    everything: bool = False
    observe: bool = False
    silent_for: float = 0.0
    first: bool = False
    keys: set[str] = attrs.field(factory=set)
    rows: set[str] = attrs.field(factory=set)
    correlation_id: str | None = None
    waiters: list[trio.Event] = attrs.field(factory=list)
    fault: Exception | None = None
    synced: int = 0

    def add(self, other: Round) -> None:
        """Look at what ``other`` was to look at, too; its waiters do not wait for this round."""
        self.everything |= other.everything
        self.observe |= other.observe
        self.first |= other.first
        self.silent_for = max(self.silent_for, other.silent_for)
        self.keys |= other.keys
        self.rows |= other.rows


class Watch:
    """Watches the jobs of one ``provider``. ``beat``: seconds from cycle to cycle; ``jitter``: a number from 0 to 1.

    ``kept_days``: after which ended jobs are removed, 0: never.

    ``synced``: how many jobs the last round read. ``syncing``: whether a cycle waits for this watch.
    ``faults_in_a_row``: of the rounds over all jobs for which no cycle waits; ``last_fault``: that of the last one.
    """

    def __init__(
        self,
        provider: GuardedProvider,
        ledger: Ledger,
        clock: Clock,
        beat: float,
        jitter: Callable[[], float],
        kept_days: float,
    ) -> None:
        self.name = provider.name
        self.synced = self.faults_in_a_row = 0
        self.last_fault: Exception | None = None
        self.syncing = False
        self._provider = provider
        self._ledger = ledger
        self._statuses = Statuses(provider, ledger, clock, beat, jitter)
        self._next = Round()
        self._requested = trio.Event()
        self._cancels = Cancels(provider)
        self._look_ups = LookUps(provider, ledger, clock, kept_days)
        self._first_look = FirstLook(beat)
        self._again_at = math.inf
        self._early: set[str] = set()
        self._begun_at = math.inf
        self._took = 0.0

    def look(self, *, observe: bool = False, silent_for: float = 0.0, first: bool = False) -> None:
        """Ask for a round over everything: settlements and cancels; see :class:`Round` for the statuses.

        ``first``: ask about every job that is there now, and again about those that could not be read (B6).
        """
        self._next.add(Round(everything=True, observe=observe or first, silent_for=silent_for, first=first))
        self._requested.set()

    def nudge(self, *keys: str) -> None:
        """Request the statuses of these jobs from their provider."""
        self._next.keys.update(keys)
        self._requested.set()

    def look_at_rows(self, keys: Iterable[str]) -> None:
        """Ask for a look at the rows of these jobs: something may be to be settled or cancelled."""
        self._next.rows.update(keys)
        self._requested.set()

    async def sync(self) -> Round:
        """A whole round, statuses included; returns when it is through."""
        request, done = self._next, trio.Event()
        request.waiters.append(done)
        request.correlation_id = get_correlation_id()
        self.look(observe=True)
        self.syncing = True
        try:
            await done.wait()
        finally:
            self.syncing = False
        return request

    async def run(self) -> None:
        """Rounds, as they are requested, until cancelled."""
        while True:
            with trio.move_on_at(self._again_at):
                await self._requested.wait()
            request, self._next = self._next, Round()
            self._requested = trio.Event()
            if trio.current_time() >= self._again_at:
                request.everything = True
            if request.everything:
                self._again_at = math.inf
            self._begun_at = trio.current_time()
            try:
                with bind_correlation_id(request.correlation_id or new_correlation_id()):
                    await self._round(request)
            except Exception as fault:  # the cycle's border: one bad round must not end the watch over the others
                request.fault = fault
                self._first_look.add(request.keys)
                self._look_again(self._first_look.next_due - trio.current_time())
                if not request.waiters:
                    _logger.exception("Error in job polling", extra={"provider": self.name})
            if request.everything and not request.waiters:
                self.faults_in_a_row = 0 if request.fault is None else self.faults_in_a_row + 1
                self.last_fault = request.fault
            request.synced = self.synced
            self._took, self._begun_at = trio.current_time() - self._begun_at, math.inf
            for waiter in request.waiters:
                waiter.set()

    @property
    def round_seconds(self) -> float:
        """How long the round has lasted that is under way or, where it is shorter, how long the last one took."""
        return max(self._took, trio.current_time() - self._begun_at)

    async def _round(self, request: Round) -> None:
        self.synced = 0
        if self._postponed(request):
            return
        await self._look_ups.run()
        if self._look_ups.left:
            self._look_again(_ASK_AGAIN)
        request.keys |= self._first_look.due() | self._statuses.series.due()
        in_flight = await self._in_flight(request)
        if request.everything:
            self._cancels.keep({one.key for one in in_flight})
        self._defer(request, in_flight)
        unknown = [one for one in in_flight if one.submission.state is SubmissionState.UNKNOWN]
        unsettled = [one for one in unknown if one.job.uncertain_since is None]
        # Where the breaker tries the provider out, one look-up that fails would open it again, before any job that runs
        # there was observed or cancelled.
        settle_last = self._provider.breaker.state is not BreakerState.CLOSED
        if not settle_last:
            await for_each_limited(self._provider, unsettled, self._settle)
        handed = [one for one in in_flight if one.submission.state is SubmissionState.HANDED]
        await for_each_limited(self._provider, self._cancels.unsent(handed), self._cancels.send)
        if not self._postponed(request):
            await self._observe(request, handed)
            if settle_last:
                await for_each_limited(self._provider, unsettled, self._settle)
            self._postponed(request)
        # Never at once: what was due in this round and stayed undone is not to be done faster than it can be.
        due = min(self._cancels.next_due, self._first_look.next_due, self._statuses.series.next_due)
        self._look_again(max(_SOONEST, due - trio.current_time()))

    def _defer(self, request: Round, in_flight: Sequence[InFlight]) -> None:
        """A job that was named before its hand-over was recorded is observed once it is."""
        begun = {one.key for one in in_flight if one.submission.state is SubmissionState.INTENT}
        if request.everything:
            self._early &= begun
        request.keys |= self._early & request.rows
        self._early = (self._early | (request.keys & begun)) - request.rows

    def _reads_all(self, request: Round) -> bool:
        return request.everything and (request.observe or bool(request.silent_for))

    async def _in_flight(self, request: Round) -> list[InFlight]:
        keys = request.keys | request.rows | (self._early if request.everything else set())
        if self._reads_all(request) or len(keys) > _MOST_NAMED:
            found = await self._ledger.read(in_flight_at, self.name)
        else:
            found = await self._ledger.read(in_flight_at, self.name, unsettled=request.everything, keys=keys)
        return [one for one in found if one.job.job_id not in (self._look_ups.left or ())]

    async def _observe(self, request: Round, handed: Sequence[InFlight]) -> None:
        """Observe what this round is to observe, and repeat the cancels of those jobs that are seen to go on."""
        doubtful = self._cancels.to_look_at(handed)
        request.keys.update(one.key for one in doubtful)
        if request.first:
            self._first_look.begin(one.key for one in handed)
        read = await self._statuses.observe(self._chosen(request, handed))
        self.synced = len(read)
        in_flight = {one.key for one in handed}
        self._first_look.note(in_flight, read)
        self._first_look.add(request.keys & in_flight - read)
        self._cancels.put_off([one for one in doubtful if one.key not in read])
        if seen := [one.key for one in doubtful if one.key in read]:
            going_on = await self._ledger.read(in_flight_at, self.name, keys=seen)
            await for_each_limited(self._provider, going_on, self._cancels.send)

    def _chosen(self, request: Round, handed: Sequence[InFlight]) -> list[InFlight]:
        named = [one for one in handed if one.key in request.keys]
        others = [one for one in handed if one.key not in request.keys]
        if request.observe:
            return named + self._statuses.due(others)
        return named + self._statuses.silent(others, request.silent_for)

    def _postponed(self, request: Round) -> bool:
        """Whether the breaker is open: then the whole request is repeated when calls may pass."""
        rest = self._provider.breaker.retry_after
        if rest:
            self._next.add(request)
            self._look_again(rest)
        return rest > 0

    # Unknown outcomes.

    async def _settle(self, one: InFlight) -> None:
        """Find out from the provider what became of a hand-over whose answer was lost (B13)."""
        with bind_correlation_id(one.job.correlation_id):
            found = await self._provider.find(one.key, one.submission.token)
        if isinstance(found, Failure):
            log_job(one, f"could not be settled: {found.message}", logging.DEBUG, self.name)
            self._look_again(_ASK_AGAIN)
        elif isinstance(found, Submitted):
            await self._ledger.write(hand_over, one.key, found.handle, found.observation)
        elif found is ABSENT:
            await self._ledger.write(settle_absent, one.key, jitter=self._ledger.sources.jitter)
        elif found is UNKNOWABLE:
            reason = f"provider {self.name} cannot tell whether it was accepted: {one.submission.error or 'no answer'}"
            await self._ledger.write(cannot_tell, one.key, reason)

    def _look_again(self, seconds: float) -> None:
        self._again_at = min(self._again_at, trio.current_time() + seconds)
