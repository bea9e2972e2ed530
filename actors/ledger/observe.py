"""What a provider said, turned into rows: applied once, never backwards, never over a terminal state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from actors.jobs.polling import Verdict, judge
from actors.jobs.records import Observation, Phase, SubmissionState
from actors.ledger.base import Pair, advance, change, close_submission, emit
from actors.store import Transaction, jobs, queue, submissions


@attrs.frozen
class Recorded:
    """What one observation changed, for the log: the job and what the verdict noted."""

    job_id: str
    correlation_id: str
    changed: bool
    note: tuple[int, str] | None


@attrs.frozen
class Recording:
    """The closure that applies observations, by submission key."""

    observations: Mapping[str, Observation]
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> list[Recorded]:
        known = submissions.by_keys(tx.connection, self.observations)
        job_ids = [submission.job_id for submission in known.values()]
        found = jobs.get_many(tx.connection, job_ids)
        entries = queue.get_many(tx.connection, job_ids)
        recorded = []
        for key, submission in known.items():
            if submission.state is SubmissionState.CLOSED:
                continue
            pair = Pair(found[submission.job_id], entries[submission.job_id])
            recorded.append(apply_observation(tx, pair, key, self.observations[key], self.cycle))
        return recorded


def apply_observation(
    tx: Transaction, pair: Pair, key: str, observation: Observation, cycle: str | None = None
) -> Recorded:
    """Judge one observation and write what follows from it; an event only where something changed."""
    verdict = judge(pair.job, pair.entry.status, observation, tx.now)
    changed = bool(verdict.trigger or verdict.changes or verdict.uncertain)
    if verdict.trigger is not None:
        entry = {"error_message": verdict.changes["error_message"]} if "error_message" in verdict.changes else None
        after = advance(tx, pair, verdict.trigger, job=_cleared(pair, verdict), entry=entry, cycle=cycle)
        changed = after is not None
        if after is not None and after.job.is_terminal:
            close_submission(tx, key)
    elif verdict.uncertain is not None:
        flag_uncertain(tx, pair, verdict.uncertain, cycle)
    elif verdict.changes:
        after = change(tx, pair, job=_cleared(pair, verdict))
        emit(tx, after.job, "job_progress", cycle=cycle, status=after.job.status.value, **_told(verdict.changes))
    return Recorded(pair.job.job_id, pair.job.correlation_id, changed, verdict.note)


def _cleared(pair: Pair, verdict: Verdict) -> dict[str, Any]:
    """The verdict's changes; a job that was seen is no longer uncertain."""
    seen: dict[str, Any] = dict(verdict.changes)
    if pair.job.uncertain_since is not None:
        seen |= {"uncertain_since": None, "uncertain_reason": None}
    return seen


def _told(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if name in ("progress", "cost_usd", "output_url")}


def flag_uncertain(tx: Transaction, pair: Pair, reason: str, cycle: str | None) -> None:
    """Mark a job of which nobody can tell whether it runs; it keeps its status and its slot."""
    if pair.job.uncertain_since is not None:
        return
    after = change(tx, pair, job={"uncertain_since": tx.now, "uncertain_reason": reason})
    emit(tx, after.job, "job_uncertain", cycle=cycle, status=after.job.status.value, reason=reason)


def denied(reason: str) -> Observation:
    """What to record when a provider denies a job that it once had: lost, and not proven dead (B17)."""
    return Observation(phase=Phase.LOST, raw_status="not found", error=reason)
