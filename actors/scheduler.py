"""The scheduler: takes jobs from the queue that may run now and submits them to their providers, once for each attempt.

**A look** is one transaction: it records the providers' answers since the last look, then claims what may run now, also
in slots that those answers freed. Each claimed job has a task of its own, which calls the provider and leaves the
answer in ``_answers`` for the next look. So a commit serves all jobs that begin and end at the same time. An event that
a look took into account causes no further one (``Ledger.last_seen``).

**In flight** is a submission from its claim until its answer is recorded. If no look follows (the scheduler is
suspended, or no longer claims), the task records its answer itself.

**What can happen between two lines.** The store cannot keep an answer: it waits for the next look. The scheduler fails
or is restarted between a claim and the record of its answer: no task is making the call of the intent any more; the
next look marks it, and the poller asks the provider (:mod:`actors.ledger.dispatch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import trio
from outcome import Error, Value

from actors.jobs.events import Concern, concerning
from actors.jobs.options import LOOK_SECONDS
from actors.jobs.records import Event
from actors.jobs.retry import DispatchVerdict
from actors.kernel import Clock, Envelope, TickingActor
from actors.ledger import Dispatch, Ledger
from actors.ledger.dispatch import Answer, Claimed
from actors.ledger.parent_results import parent_results
from actors.providers.base import Submitted
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.planning import breaker_advice, capacities, reserve_policy
from actors.store.errors import StoreError
from logconf import bind_correlation_id, get_correlation_id, get_logger

_logger = get_logger("actors.scheduler")

INTERVAL = LOOK_SECONDS
"""The most seconds between two looks at the queue; fixed (B8)."""

_TURNS = 4
"""Turns of the event loop in which a fast provider answers a call that was just begun."""
_WAKES = concerning(Concern.RUNNABLE)


def wakes(event: Event) -> bool:
    """Whether ``event`` may have made a job runnable: a new entry, a freed slot, a wider limit."""
    return event.is_end or event.type in _WAKES


class Quiesce:
    """The message before a shutdown: claim no more. The reply comes when no submission is in flight."""


class Scheduler(TickingActor):
    """Looks at least every 5 s and at once after an event; submits in tasks beside the mailbox, a few for each
    provider.

    ``home``: the state directory, for jobs on this machine; None: there is none.
    """

    concurrent = True
    interval = INTERVAL

    def __init__(
        self, ledger: Ledger, providers: Mapping[str, GuardedProvider], clock: Clock, home: Path | None = None
    ) -> None:
        self.fault_limit = 1
        self.fault_message = "Failed to start queue processing"
        self._ledger = ledger
        self._providers = providers
        self._clock = clock
        self._home = home
        self._accepting = True
        self._started = False
        self._unsure = True
        self._in_flight: set[str] = set()
        self._answers: list[Answer] = []
        self._idle = trio.Event()
        self._opens_at = float("inf")
        self._slots = {
            name: trio.CapacityLimiter(provider.capabilities.concurrent_calls) for name, provider in providers.items()
        }

    async def handle(self, message: Any) -> Any:
        """Any event is a wake; ``Quiesce`` stops claiming and is answered when nothing is in flight."""
        if not isinstance(message, Quiesce):
            self.wake()
            return None
        self._accepting = False
        await self._record()
        while self._in_flight:
            await self._idle.wait()
        return None

    def next_tick(self) -> float:
        """The end of the interval, or earlier when a back-off ends or a closed provider opens."""
        return min(super().next_tick(), self._opens_at)

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """One look at the queue: claim what may run, and start submitting it."""
        self._opens_at = float("inf")  # else the next cycle would begin at once, if this one does or finds nothing
        if not self._accepting:
            return
        if self._unsure:  # an intent that nobody here is handing over is the poller's to ask about (B13)
            await self._ledger.mark_orphans(frozenset(self._in_flight))
        self._unsure = (
            True  # until the calls for what this look claims have begun: a fault between commit and here leaves orphans
        )
        claimed = await self._look()
        if not self._started:
            self._started = True
            self.fault_limit, self.fault_message = 5, "Error in queue processing"
            _logger.info("Queue scheduler started", extra={"interval_seconds": self.interval})
        if claimed.look_again_at is not None:
            self._opens_at = self._clock.look_again(claimed.look_again_at)
        _logger.debug(claimed.decision.summary, extra={"dispatching": len(claimed.dispatches)})
        for dispatch in claimed.dispatches:
            self._in_flight.add(dispatch.submission.key)
            self.nursery.start_soon(self._hand_over, dispatch, name=f"hand over {dispatch.submission.key}")
        self._unsure = False

    async def _hand_over(self, dispatch: Dispatch) -> None:
        """Call the provider. Its answer is recorded with others by the next look, or here where there is none."""
        job, submission = dispatch.pair.job, dispatch.submission
        with bind_correlation_id(job.correlation_id):
            async with self._slots[job.provider]:
                answer = await self._submit(self._providers[job.provider], dispatch)
        self._answers.append(Answer(submission.key, job, answer))
        if not self._accepting or self.suspended or self.stopping:
            await self._record()
        elif len(self._answers) == 1:  # else a look at them is on its way
            self.wake()

    async def _submit(self, provider: GuardedProvider, dispatch: Dispatch) -> Submitted | Failure:
        prepared = provider.prepare(dispatch.pair.job.request)
        if isinstance(prepared, Failure):
            return prepared
        job, submission, context = dispatch.pair.job, dispatch.submission, dispatch.context
        if self._home is not None:
            context["home"] = str(self._home)
        if job.request.after and (parents := await self._ledger.read(parent_results, job.job_id)) is not None:
            context["parents"] = parents
        return await provider.submit(submission.key, submission.token, prepared, context)

    async def _look(self) -> Claimed:
        """Record the answers that are there and claim what may run then, in one transaction."""
        if self._answers:  # calls that were begun just now may be answered at once, and share its commit
            for _ in range(_TURNS):
                await trio.lowlevel.checkpoint()
        answers, self._answers = self._answers, []
        try:
            there, advice = capacities(self._providers), breaker_advice(self._providers)
            policy = reserve_policy(self._ledger.queue, self._providers)
            return await self._ledger.claim(there, advice, answers, policy)
        finally:
            self._note(answers)

    async def _record(self) -> None:
        """Record the answers that are there, without a look at the queue."""
        answers, self._answers = self._answers, []
        try:
            if answers:
                await self._ledger.record(answers)
        finally:
            self._note(answers)

    def _note(self, answers: Sequence[Answer]) -> None:
        """The recorded ones are no longer in flight; what the store could not keep waits for the next look."""
        for one in answers:
            match one.outcome:
                case None | Error(error=StoreError()):
                    self._answers.append(one)
                    continue
                case Value(value=DispatchVerdict()):
                    _log_failure(one)
            self._in_flight.discard(one.key)
        if not self._in_flight:
            self._idle.set()
            self._idle = trio.Event()


def _log_failure(answer: Answer) -> None:
    assert isinstance(answer.answer, Failure)
    job, failure = answer.job, answer.answer
    extra = {"job_id": job.job_id, "provider": job.provider, "failure": failure.kind.value}
    extra["cycle_id"] = get_correlation_id()
    with bind_correlation_id(job.correlation_id):
        _logger.info("Job was not accepted: %s", failure.message, extra=extra, stacklevel=2)
