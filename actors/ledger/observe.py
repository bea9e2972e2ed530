"""Observations as changes of rows: applied once, never backwards, never over a terminal state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.estimates import advanced
from actors.jobs.events import EventType
from actors.jobs.lifecycle import Trigger
from actors.jobs.polling import interpret
from actors.jobs.records import Job, Observation, Phase, SubmissionState
from actors.jobs.reruns import run_again
from actors.ledger.base import UNFLAGGED, Pair, advance, change, close_submission, emit, load_many, load_readable
from actors.ledger.rerun import rerun
from actors.store import Transaction, series, submissions

_TO_SHOW = ("progress", "cost_usd", "output_url")
_BAD_ENDS = (Trigger.OBSERVE_FAILED, Trigger.OBSERVE_CANCELLED)


@attrs.frozen
class Recorded:
    """A job with a recorded observation, and what its verdict noted for the log.

    ``has_room``: its series could be kept; False: all series together would exceed their maximum.
    """

    job_id: str
    correlation_id: str
    note: tuple[int, str] | None
    has_room: bool = True


def record(
    tx: Transaction,
    observations: Mapping[str, Observation],
    handles: Mapping[str, Mapping[str, Any] | None] | None = None,
) -> list[Recorded]:
    """Apply observations, by submission key.

    ``handles``: those by which the provider was asked. A person may have settled a job under another one meanwhile:
    what was asked about is then not its run.
    """
    asked = handles or {}
    known = {
        key: one
        for key, one in submissions.by_keys(tx.connection, observations).items()
        if one.state is not SubmissionState.CLOSED and asked.get(key, one.handle) == one.handle
    }
    pairs = load_many(tx, [one.job_id for one in known.values()])
    return [
        apply_observation(tx, pairs[one.job_id], key, observations[key], with_series=True)
        for key, one in known.items()
        if one.job_id in pairs
    ]


def apply_observation(
    tx: Transaction, pair: Pair, key: str, observation: Observation, *, with_series: bool = False
) -> Recorded:
    """Interpret one observation and write what follows; an event is written only for a change.

    ``with_series``: write its series now; with the end of the job they are always written.
    """
    verdict = interpret(pair.job, pair.entry.status, observation, tx.now)
    changes = dict(verdict.changes)
    if "progress" in changes and (pace := _paced(pair.job, changes, observation.seen_at or tx.now)) is not None:
        changes["pace"] = pace
    if pair.job.uncertain_since is not None:  # it was seen, so it is no longer uncertain
        changes |= UNFLAGGED
    error = changes.get("error_message")
    if verdict.trigger in _BAD_ENDS and (again := run_again(pair.job, pair.entry, observation, error, tx.now)):
        if _may_have_run_since(pair):
            return Recorded(pair.job.job_id, pair.job.correlation_id, None)
        rerun(tx, pair, key, changes, again)
        with_series = True
    elif verdict.trigger is not None:
        entry = {"error_message": changes["error_message"]} if "error_message" in verdict.changes else None
        if advance(tx, pair, verdict.trigger, job=changes, entry=entry).job.is_terminal:
            close_submission(tx, key)
            with_series = True
    elif verdict.uncertain is not None:
        flag_uncertain(tx, pair, verdict.uncertain)
    elif verdict.changes:
        after = change(tx, pair, job=changes)
        shown = {name: value for name, value in verdict.changes.items() if name in _TO_SHOW}
        emit(tx, after.job, EventType.JOB_PROGRESS, status=after.job.status.value, **shown)
    has_room = not with_series or _keep_series(tx, pair, key, observation)
    return Recorded(pair.job.job_id, pair.job.correlation_id, verdict.note, has_room)


def _may_have_run_since(pair: Pair) -> bool:
    """Whether the attempt that ended may have been followed by another one after the backup: a person decides (F3)."""
    return pair.entry.restored is not None


def _paced(job: Job, changes: Mapping[str, Any], at: datetime) -> list[list[float]] | None:
    """The pace of a job after its ``progress`` changed; None: it is as it was."""
    return advanced(job.pace, changes["progress"], changes.get("started_at", job.started_at), at)


def _keep_series(tx: Transaction, pair: Pair, key: str, observation: Observation) -> bool:
    """Write the series of the attempt of ``key``. False: not all of them, for want of room."""
    if observation.series is None or pair.job.is_terminal:
        return True
    attempt = key.rpartition("-")[2]  # the number at the end, see submission_key
    number = int(attempt) if attempt.isdecimal() else 1
    return series.put(tx.connection, pair.job.job_id, number, observation.series, tx.now, tx.series_bytes)


def flag_uncertain(tx: Transaction, pair: Pair, reason: str) -> Job:
    """Mark a job as uncertain: nobody can tell whether it runs. It keeps its status and its slot (B13)."""
    if pair.job.uncertain_since is not None:
        return pair.job
    after = change(tx, pair, job={"uncertain_since": tx.now, "uncertain_reason": reason})
    emit(tx, after.job, EventType.JOB_UNCERTAIN, status=after.job.status.value, reason=reason)
    return after.job


def cannot_tell(tx: Transaction, key: str, reason: str) -> None:
    """A provider cannot tell whether it runs what was submitted under ``key``: a person must decide (B13).

    Does nothing if it was settled meanwhile: the job may have ended, or wait for another attempt.
    """
    submission = submissions.by_key(tx.connection, key)
    if submission is None or submission.state is not SubmissionState.UNKNOWN:
        return
    pair = load_readable(tx, submission.job_id)
    if pair is not None:
        flag_uncertain(tx, pair, reason)


def denied(reason: str) -> Observation:
    """What to record when a provider denies a job that it once had: lost, and not proven to have ended (B17)."""
    return Observation(phase=Phase.LOST, raw_status="not found", error=reason)
