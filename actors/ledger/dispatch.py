"""Submission to a provider: claiming jobs under the limits, and the results of the calls.

**States of a submission** (one attempt at a job; its row has the key and the token that the provider gets):

- ``intent``: claimed and committed. The call to the provider is about to be made, is in progress, or was cut off.
- ``handed``: the provider has the job; ``handle`` is its name there.
- ``unknown``: a call was made, or may have been made, and nobody knows whether the provider has the job.
- ``closed``: the job ended, or it returned to the queue; nothing more is to be done about this attempt.

**Transitions.** :func:`claim` writes ``intent`` in the transaction that counts what runs and takes the slot, so two
schedulers on one database never exceed a limit. From ``intent``, :func:`hand_over` makes ``handed``;
:func:`fail_dispatch` makes ``closed``, or ``unknown`` if the call may have arrived; ``mark_orphans`` makes ``unknown``
of those that no process is making any more. From ``unknown``, the poller asks the provider by key and token:
``hand_over``, or ``settle_absent`` (``closed``, the job is queued again); if the provider cannot tell, the job is
flagged uncertain and a person settles it (:mod:`actors.ledger.settle`). A delivery with the token settles it as well
(:mod:`actors.ledger.deliveries`). From ``handed``, the observation of an end makes ``closed``.

**Invariants.** A provider is called only after its ``intent`` is committed. A job has at most one submission that is
not closed. Until it is closed the entry is ``running`` and holds its slot, also if it is ``unknown`` or uncertain:
giving a slot away twice is worse than keeping it too long. Each function checks the state from which it starts, so of
two answers about one call (the call's own, a delivery, the poller's) the first one counts and the others change
nothing.

**A crash between two lines** leaves the following, which is settled as follows:

- before ``claim`` commits: nothing; the job is still queued.
- after that commit, before or during the call, or after the provider's answer and before ``hand_over`` commits: an
  ``intent`` that no process is making. The scheduler's next look (also after a fault of its own, in the same process)
  marks it ``unknown``, and the poller asks. That is why a try that spent no attempt keeps its key.
- after ``hand_over`` or ``fail_dispatch`` commits: nothing to settle; the rows have everything.

:mod:`actors.ledger.deaths` handles a process that dies again and again during one job's submission.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from outcome import Outcome
from sqlalchemy import Connection

from actors.jobs.bounds import ProviderState
from actors.jobs.events import EventType
from actors.jobs.ids import submission_key
from actors.jobs.lifecycle import Trigger
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Job, Observation, Submission, SubmissionState
from actors.jobs.reservations import USUAL_POLICY, Holder, ReservePolicy
from actors.jobs.retry import DispatchVerdict, after_failed_dispatch
from actors.jobs.scheduling import (
    NOTHING_WAITS,
    Decision,
    Head,
    Lane,
    Pick,
    decide,
    global_limit_reached,
    nothing_may_run,
)
from actors.ledger.base import UNFLAGGED, Pair, advance, change, emit, load_claimed, load_readable
from actors.ledger.deaths import keep_suspects_apart
from actors.ledger.due import next_due, up_to_date
from actors.ledger.limits import effective_limits, gate_of, narrowed
from actors.ledger.observe import apply_observation
from actors.ledger.requeue import requeue_or_fail
from actors.providers.base import Submitted
from actors.providers.breaker import BreakerAdvice
from actors.providers.guard import Failure
from actors.store import Transaction, deaths, gates, lanes, queue, submissions
from actors.store.running import holders

DAMAGED_AGAIN = timedelta(hours=1)
"""For how long a waiting job with a damaged row is not tried again."""


@attrs.frozen
class Dispatch:
    """One claimed job, to be submitted to its provider. ``previous_key``: that of the attempt that ended before
    this one.
    """

    pair: Pair
    submission: Submission
    previous_key: str | None = None

    @property
    def context(self) -> dict[str, str]:
        """What a provider gets in addition to the request (:meth:`~actors.providers.base.Provider.submit`)."""
        job = self.pair.job
        attempt = str(self.pair.entry.attempt + 1)
        context = {"job_id": job.job_id, "correlation_id": job.correlation_id, "attempt": attempt}
        return context if self.previous_key is None else {**context, "previous_key": self.previous_key}


@attrs.frozen
class Claimed:
    """The result of one look at the queue: the decision, the claimed jobs, and when the next back-off or closed
    provider opens.
    """

    decision: Decision
    dispatches: tuple[Dispatch, ...]
    look_again_at: datetime | None


def decide_now(
    connection: Connection,
    configured: Limits,
    capacities: Mapping[str, Capacity],
    now: datetime,
    probes: Mapping[str, int] | None = None,
    policy: ReservePolicy = USUAL_POLICY,
) -> tuple[Decision, list[Lane]]:
    """The decision from rows alone; if the global limit is reached, no lane is read.

    ``probes``: for providers that are only tried, how many more calls they may get. ``policy``: for which jobs
    resources are kept.
    """
    limits = effective_limits(connection, configured)
    running = queue.running(connection)
    if probes:
        limits = narrowed(limits, running, probes, capacities)
    full = global_limit_reached(running, limits, capacities.values())
    if full is not None:
        return nothing_may_run(full), []
    waiting = lanes.read(connection)
    closed = gates.closed(connection, capacities, now)
    providers = {name: ProviderState(capacity, closed[name]) for name, capacity in capacities.items()}

    def following(lane: Lane) -> Head | None:
        return lanes.after(connection, lane.lane_id, lane.head) if lane.count > 1 else None

    def there(provider: str) -> list[Holder]:
        return holders(connection, provider, policy, now)

    return decide(waiting, running, limits, providers, now, following, policy=policy, holders=there), waiting


def claim(
    tx: Transaction,
    capacities: Mapping[str, Capacity],
    breaker_advice: Mapping[str, BreakerAdvice],
    *,
    limits: Limits,
    token: Callable[[], str],
    policy: ReservePolicy = USUAL_POLICY,
) -> Claimed:
    """Claim all jobs that may run now, each with its intent.

    ``breaker_advice``: the advice of the circuit breakers, by provider. An open one closes the provider's gate, so that
    nothing is claimed only to be requeued. ``limits``: the configured ones. ``token``: makes the token of a submission.
    ``policy``: for which jobs resources are kept.
    """
    outlook = up_to_date(tx)
    if not outlook.ready:
        return Claimed(NOTHING_WAITS, (), next_due(tx, outlook))
    for name, advice in breaker_advice.items():
        gate = gate_of(tx, name)
        if advice.retry_after and gate.closed(tx.now) is None:
            _close_gate(tx, gate, tx.now + timedelta(seconds=advice.retry_after), advice.why, advice.retry_after)
    probes = {name: advice.probes for name, advice in breaker_advice.items()}
    decision, waiting = decide_now(tx.connection, limits, capacities, tx.now, probes, policy)
    lanes.note_shortage(tx.connection, waiting, decision.short_of_resources, tx.now)
    picks = keep_suspects_apart(tx, decision.picks)
    dispatches = _claim_all(tx, picks, token)
    is_whole = len(dispatches) == len(picks)  # else damaged ones took others' slots
    look_again_at = _look_again_at(tx, outlook) if is_whole else tx.now
    return Claimed(decision, dispatches, look_again_at)


def _claim_all(tx: Transaction, picks: Sequence[Pick], token: Callable[[], str]) -> tuple[Dispatch, ...]:
    """Claim these jobs, with all entries and intents in a few statements.

    A job with a damaged row leaves its lane for a while instead, so that it takes no slot from another one.
    """
    if not picks:
        return ()
    lane_of = {pick.head.job_id: pick.lane.lane_id for pick in picks}
    pairs = load_claimed(tx, {pick.head.job_id: pick.lane.provider for pick in picks})
    for job_id in [one for one in lane_of if one not in pairs]:
        seconds = DAMAGED_AGAIN.total_seconds()
        queue.change(tx.connection, job_id, not_before=tx.now + DAMAGED_AGAIN, wait_seconds=seconds)
    entry = queue.start(tx.connection, {job_id: lane_of[job_id] for job_id in pairs}, tx.now)
    intents = [
        Submission(one, submission_key(one, pair.entry.attempt), token(), SubmissionState.INTENT, tx.now)
        for one, pair in pairs.items()
    ]
    submissions.put(tx.connection, intents)
    return tuple(_claimed(tx, pairs[intent.job_id], intent, entry) for intent in intents)


def _claimed(tx: Transaction, pair: Pair, intent: Submission, entry: Mapping[str, Any]) -> Dispatch:
    data = {
        "provider": pair.job.provider, "attempt": pair.entry.attempt + 1, "submission": intent.key,
        "queued_at": pair.entry.queued_at.isoformat(),
    }  # fmt: skip
    previous = submissions.last_handed(tx.connection, pair.job.job_id) if pair.entry.reruns else None
    return Dispatch(advance(tx, pair, Trigger.CLAIM, entry=entry, data=data, entry_is_written=True), intent, previous)


@attrs.define(eq=False)
class Answer:
    """A provider's answer to the submission of ``key``. ``outcome``: the result of recording it, None before."""

    key: str
    job: Job
    answer: Submitted | Failure
    outcome: Outcome[DispatchVerdict | None] | None = None


def record_answer(tx: Transaction, answer: Answer, *, jitter: Callable[[], float]) -> DispatchVerdict | None:
    """Record an answer. Returns what follows from a failure; None after an acceptance, and if the outcome was
    settled before.
    """
    if isinstance(answer.answer, Failure):
        return fail_dispatch(tx, answer.key, answer.answer, jitter=jitter)
    hand_over(tx, answer.key, answer.answer.handle, answer.answer.observation)
    return None


def hand_over(tx: Transaction, key: str, handle: Mapping[str, Any], observation: Observation | None) -> None:
    """Record an accepted job: its handle, and its first observation. Does nothing if it was settled before."""
    submission = _with_outcome(tx, key)
    if submission is None or submission.state not in (SubmissionState.INTENT, SubmissionState.UNKNOWN):
        return
    submissions.change(tx.connection, key, state=SubmissionState.HANDED, handle=handle, handed_at=tx.now, error=None)
    pair = load_readable(tx, submission.job_id)
    if pair is None:
        return
    gate = gate_of(tx, pair.job.provider)
    if gate.failures or gate.closed_until is not None:
        opened = attrs.evolve(gate, failures=0, closed_until=None, closed_reason=None, closed_seconds=None)
        gates.put(tx.connection, opened)
    if pair.job.uncertain_since is not None:
        pair = change(tx, pair, job=UNFLAGGED)
    emit(tx, pair.job, EventType.JOB_HANDED_OVER, status=pair.job.status.value, submission=key)
    if observation is not None:
        apply_observation(tx, pair, key, observation)


def fail_dispatch(
    tx: Transaction, key: str, failure: Failure, *, jitter: Callable[[], float]
) -> DispatchVerdict | None:
    """Record a call that did not succeed, by its kind (B12). None: its outcome was settled before."""
    submission = _with_outcome(tx, key)
    if submission is None or submission.state is not SubmissionState.INTENT:
        return None
    pair = load_readable(tx, submission.job_id)
    if pair is None:
        return None
    gate = gate_of(tx, pair.job.provider)
    verdict = after_failed_dispatch(
        failure.kind, failure.message, pair.entry, tx.now, failure.retry_after, gate.failures, jitter
    )
    _close_provider(tx, pair, gate, verdict, failure.message)
    if verdict.unknown:
        unknown = {"state": SubmissionState.UNKNOWN, "spends_attempt": failure.spends_attempt}
        submissions.change(tx.connection, key, error=failure.message, **unknown)
        emit(tx, pair.job, EventType.JOB_OUTCOME_UNKNOWN, status=pair.job.status.value, error_message=failure.message)
    else:
        requeue_or_fail(tx, pair, key, verdict)
    return verdict


def _with_outcome(tx: Transaction, key: str) -> Submission | None:
    """The submission, whose call had an outcome, so it did not kill the process."""
    submission = submissions.by_key(tx.connection, key)
    if submission is not None:
        deaths.forgive(tx.connection, submission.job_id)
    return submission


def _close_provider(tx: Transaction, pair: Pair, gate: gates.Gate, verdict: DispatchVerdict, message: str) -> None:
    if verdict.pause_provider is not None and gate.paused_reason is None:
        gates.put(tx.connection, attrs.evolve(gate, paused_reason=verdict.pause_provider))
        data = {"provider": pair.job.provider, "reason": verdict.pause_provider}
        tx.emit(EventType.PROVIDER_PAUSED, None, pair.job.correlation_id, **data)
    elif verdict.close_provider_until is not None:
        again = attrs.evolve(gate, failures=gate.failures + 1)
        _close_gate(tx, again, verdict.close_provider_until, message, verdict.wait)


def _close_gate(tx: Transaction, gate: gates.Gate, until: datetime, reason: str, seconds: float | None) -> None:
    closed = attrs.evolve(gate, closed_until=until, closed_reason=reason, closed_seconds=seconds)
    gates.put(tx.connection, closed)


def _look_again_at(tx: Transaction, outlook: queue.Outlook) -> datetime | None:
    """When something opens by the clock alone: what is due next or a closed provider, whichever comes first."""
    found = gates.read(tx.connection).values()
    moments = [gate.closed_until for gate in found if gate.closed_until is not None and gate.closed_until > tx.now]
    following = next_due(tx, outlook)
    return min([*moments, *([following] if following is not None else [])], default=None)
