"""From queued to handed over: claiming under the limits, and what came of each call to a provider.

Claiming counts, decides and marks in one transaction, so that two schedulers on one database never exceed a limit.
The intent (key and token) is committed before the provider is called: whatever happens then, a row is there to ask by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

import attrs

from actors.jobs.lifecycle import Trigger
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Observation, Submission, SubmissionState
from actors.jobs.retry import DispatchVerdict, after_failed_dispatch
from actors.jobs.scheduling import (
    Decision,
    Head,
    Lane,
    ProviderState,
    Running,
    decide,
    global_limit_reached,
    nothing_may_run,
)
from actors.ledger.base import Pair, advance, change, emit, load
from actors.ledger.deaths import held_apart
from actors.ledger.limits import effective_limits
from actors.ledger.observe import apply_observation
from actors.ledger.requeue import put_back_or_give_up
from actors.providers.breaker import BreakerAdvice
from actors.providers.guard import Failure
from actors.store import Transaction, deaths, lanes, queue, registers, submissions


@attrs.frozen
class Dispatch:
    """One claimed job, to be handed to its provider under ``key``."""

    pair: Pair
    submission: Submission


@attrs.frozen
class Claimed:
    """What one look at the queue decided and claimed, and when the next back-off or closed provider opens.

    ``held_apart``: whether something waits for the hand-overs under way, see :mod:`actors.ledger.deaths`.
    """

    decision: Decision
    dispatches: tuple[Dispatch, ...]
    look_again_at: datetime | None
    held_apart: bool = False


def decide_now(
    tx: Transaction, configured: Limits, capacities: Mapping[str, Capacity], probes: Mapping[str, int] | None = None
) -> tuple[Decision, list[Lane]]:
    """The decision from rows alone; a full global limit is answered without reading a lane.

    ``probes``: for providers that are only tried out, how many calls more they may get.
    """
    limits = effective_limits(tx, configured)
    running = queue.running(tx.connection)
    if probes:
        limits = _narrowed(limits, running, probes)
    full = global_limit_reached(running, limits)
    if full is not None:
        return nothing_may_run(full), []
    waiting = lanes.read(tx.connection)
    providers = provider_states(tx, capacities)

    def following(lane: Lane) -> Head | None:
        return lanes.after(tx.connection, lane.lane_id, lane.head) if lane.count > 1 else None

    return decide(waiting, running, limits, providers, tx.now, following), waiting


def _narrowed(limits: Limits, running: Sequence[Running], probes: Mapping[str, int]) -> Limits:
    bounds = dict(limits.per_provider)
    for name, more in probes.items():
        there = sum(one.count for one in running if one.provider == name)
        bounds[name] = min(bounds.get(name, there + more), there + more)
    return attrs.evolve(limits, per_provider=bounds)


def provider_states(tx: Transaction, capacities: Mapping[str, Capacity]) -> dict[str, ProviderState]:
    """Each configured provider: what it has, and whether it may be called now."""
    closed = registers.closed(tx.connection, capacities, tx.now)
    return {name: ProviderState(capacity, closed[name]) for name, capacity in capacities.items()}


@attrs.frozen
class Claiming:
    """The closure that claims all that may run now.

    ``breaker_advice``: what the circuit breakers ask, by provider. An open one closes the provider's gate, so that
    nothing is claimed only to be put back. ``suspects``: jobs in whose hand-over a process died.
    """

    limits: Limits
    capacities: Mapping[str, Capacity]
    token: Callable[[], str]
    cycle: str | None = None
    breaker_advice: Mapping[str, BreakerAdvice] = attrs.field(factory=dict)
    suspects: Set[str] = frozenset()

    def __call__(self, tx: Transaction) -> Claimed:
        ready, release = queue.outlook(tx.connection)
        if not ready and (release is None or release > tx.now):
            return Claimed(decide((), (), self.limits, {}, tx.now, lambda _lane: None), (), release)
        queue.release_due(tx.connection, tx.now)
        self._close_gates(tx)
        probes = {name: advice.probes for name, advice in self.breaker_advice.items()}
        decision, waiting = decide_now(tx, self.limits, self.capacities, probes)
        lanes.note_shortage(tx.connection, waiting, decision.short_of_resources, tx.now)
        picks = held_apart(tx, decision.picks, self.suspects) if self.suspects else decision.picks
        dispatches = tuple(self._claim(tx, pick.head.job_id) for pick in picks)
        return Claimed(decision, dispatches, _look_again_at(tx), held_apart=len(picks) < len(decision.picks))

    def _close_gates(self, tx: Transaction) -> None:
        for name, advice in self.breaker_advice.items():
            gate = _gate(tx, name)
            if advice.retry_after and gate.closed(tx.now) is None:
                until = tx.now + timedelta(seconds=advice.retry_after)
                closed = attrs.evolve(
                    gate, closed_until=until, closed_reason=advice.why, closed_seconds=advice.retry_after
                )
                registers.put_gate(tx.connection, closed)

    def _claim(self, tx: Transaction, job_id: str) -> Dispatch:
        pair = load(tx, job_id)
        key = submission_key(job_id, pair.entry.attempt)
        submission = Submission(job_id, key, self.token(), SubmissionState.INTENT, tx.now)
        submissions.put(tx.connection, submission)
        claimed = advance(
            tx,
            pair,
            Trigger.CLAIM,
            entry={"started_at": tx.now, "not_before": None},
            data={"provider": pair.job.provider, "attempt": pair.entry.attempt + 1, "submission": key},
            cycle=self.cycle,
        )
        assert claimed is not None, f"lane held job {job_id} in {pair.job.status}, {pair.entry.status}"
        return Dispatch(claimed, submission)


def submission_key(job_id: str, attempt: int) -> str:
    """The key under which a provider knows one attempt at a job; the same for a try that spent no attempt."""
    return f"{job_id}-{attempt + 1}"


def job_of(key: str) -> str:
    """Whose attempt a submission key names."""
    return key.rpartition("-")[0]


@attrs.frozen
class HandingOver:
    """The closure that records an accepted job: its handle, and what the provider said of it."""

    key: str
    handle: Mapping[str, Any]
    observation: Observation | None
    cycle: str | None = None
    suspected: bool = False

    def __call__(self, tx: Transaction) -> bool:
        if self.suspected:
            deaths.forgive(tx.connection, job_of(self.key))
        submission = submissions.by_key(tx.connection, self.key)
        if submission is None or submission.state not in (SubmissionState.INTENT, SubmissionState.UNKNOWN):
            return False
        submissions.change(
            tx.connection, self.key, state=SubmissionState.HANDED, handle=self.handle, handed_at=tx.now, error=None
        )
        pair = load(tx, submission.job_id)
        _open_gate(tx, pair.job.provider)
        if pair.job.uncertain_since is not None:
            pair = change(tx, pair, job={"uncertain_since": None, "uncertain_reason": None})
        emit(tx, pair.job, "job_handed_over", cycle=self.cycle, status=pair.job.status.value, submission=self.key)
        if self.observation is not None:
            apply_observation(tx, pair, self.key, self.observation, self.cycle)
        return True


@attrs.frozen
class FailingDispatch:
    """The closure that records a call which did not succeed, by its kind (B12)."""

    key: str
    failure: Failure
    jitter: Callable[[], float]
    cycle: str | None = None
    suspected: bool = False

    def __call__(self, tx: Transaction) -> DispatchVerdict | None:
        if self.suspected:
            deaths.forgive(tx.connection, job_of(self.key))
        submission = submissions.by_key(tx.connection, self.key)
        if submission is None or submission.state is not SubmissionState.INTENT:
            return None
        pair = load(tx, submission.job_id)
        gate = _gate(tx, pair.job.provider)
        verdict = after_failed_dispatch(
            self.failure.kind,
            self.failure.message,
            pair.entry,
            tx.now,
            self.failure.retry_after,
            gate.failures,
            self.jitter,
        )
        self._close_provider(tx, pair, gate, verdict)
        if verdict.unknown:
            self._keep_slot(tx, pair)
        else:
            put_back_or_give_up(tx, pair, self.key, verdict, self.cycle)
        return verdict

    def _keep_slot(self, tx: Transaction, pair: Pair) -> None:
        submissions.change(
            tx.connection,
            self.key,
            state=SubmissionState.UNKNOWN,
            error=self.failure.message,
            spends_attempt=self.failure.spends_attempt,
        )
        emit(
            tx,
            pair.job,
            "job_outcome_unknown",
            cycle=self.cycle,
            status=pair.job.status.value,
            error_message=self.failure.message,
        )

    def _close_provider(self, tx: Transaction, pair: Pair, gate: registers.Gate, verdict: DispatchVerdict) -> None:
        if verdict.pause_provider is not None and gate.paused_reason is None:
            registers.put_gate(tx.connection, attrs.evolve(gate, paused_reason=verdict.pause_provider))
            tx.emit(
                "provider_paused",
                None,
                pair.job.correlation_id,
                provider=pair.job.provider,
                reason=verdict.pause_provider,
            )
        elif verdict.close_provider_until is not None:
            closed = attrs.evolve(
                gate,
                closed_until=verdict.close_provider_until,
                closed_reason=self.failure.message,
                closed_seconds=verdict.wait,
                failures=gate.failures + 1,
            )
            registers.put_gate(tx.connection, closed)


def _gate(tx: Transaction, provider: str) -> registers.Gate:
    return registers.gates(tx.connection).get(provider) or registers.Gate(provider)


def _open_gate(tx: Transaction, provider: str) -> None:
    gate = _gate(tx, provider)
    if gate.failures or gate.closed_until is not None:
        opened = attrs.evolve(gate, failures=0, closed_until=None, closed_reason=None, closed_seconds=None)
        registers.put_gate(tx.connection, opened)


def _look_again_at(tx: Transaction) -> datetime | None:
    """When something opens by the clock alone: a back-off or a closed provider, whichever is first."""
    gates = registers.gates(tx.connection).values()
    moments = [gate.closed_until for gate in gates if gate.closed_until is not None and gate.closed_until > tx.now]
    _, release = queue.outlook(tx.connection)
    return min([*moments, *([release] if release is not None else [])], default=None)
