"""A hand-over that kills the process (a provider's library that crashes) must not be tried without end.

At a start, an intent without an outcome was in hand-over when the process died. One that was alone is to blame; of
several nobody knows which it was, so from then on each of them is handed over alone until it has an outcome. After
:data:`MOST_DEATHS` a job is uncertain, and the others go on. An orderly stop in the middle of a hand-over is no death.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import timedelta

from actors.jobs.events import EventType
from actors.jobs.records import SubmissionState
from actors.jobs.scheduling import Pick
from actors.ledger.base import emit, load_readable
from actors.ledger.observe import flag_uncertain
from actors.store import Transaction, deaths, submissions

MOST_DEATHS = 3
"""Starts that may die in a row in one job's hand-over, the last of which makes it uncertain."""

ALONE = timedelta(seconds=30)
"""For so long others wait while a suspected job is in hand-over: what kills a process does so soon."""

_DIED = "the process ended before the answer came"
_STOPPED = "the supervisor was stopped before the answer came"


def mark_orphans(tx: Transaction, in_flight: Set[str], *, first: bool) -> None:
    """Turn every intent but those ``in_flight`` into an unknown outcome (B13): who made the calls is gone.

    ``first``: in this process, so that what it finds was left by an earlier one.
    """
    orphans = [one for one in submissions.intents(tx.connection) if one.key not in in_flight]
    died = [one.job_id for one in orphans if one.error is None] if first else []
    blamed = deaths.blame(tx.connection, died) if died else {}
    for orphan in orphans:
        error = orphan.error or _DIED
        submissions.change(tx.connection, orphan.key, state=SubmissionState.UNKNOWN, error=error)
        pair = load_readable(tx, orphan.job_id)
        if pair is None:
            continue
        emit(tx, pair.job, EventType.JOB_OUTCOME_UNKNOWN, status=pair.job.status.value, error_message=error)
        if blamed.get(orphan.job_id, 0) >= MOST_DEATHS:
            flag_uncertain(tx, pair, _why(pair.job.provider))
    if first:
        deaths.drop_ended(tx.connection)


def _why(provider: str) -> str:
    return (
        f"{MOST_DEATHS} starts of the supervisor ended while this job was handed over to provider {provider}; "
        "find out why in the system's log, then settle it"
    )


def note_stop(tx: Transaction) -> None:
    """This process ends in order: what is in hand-over now does not kill it."""
    for one in submissions.intents(tx.connection):
        if one.error is None:
            submissions.change(tx.connection, one.key, error=_STOPPED)


def held_apart(tx: Transaction, picks: Sequence[Pick]) -> Sequence[Pick]:
    """Those of ``picks`` that may be claimed now: a suspected job alone, everybody else while none is under way."""
    suspects = deaths.counts(tx.connection).keys()
    if not suspects:
        return picks
    under_way = submissions.intents(tx.connection)
    if any(one.job_id in suspects and tx.now - one.intent_at < ALONE for one in under_way):
        return ()
    others = [pick for pick in picks if pick.head.job_id not in suspects]
    return others or ([] if under_way else picks[:1])
