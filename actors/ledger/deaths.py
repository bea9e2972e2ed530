"""A submission that kills the process (because a provider's library crashes) must not be repeated without end.

At a start, an intent without an outcome was being submitted when the process died. A single one is the cause. Of
several nobody knows which one it was, so from then on each of them is submitted alone until it has an outcome. After
:data:`MOST_DEATHS` a job is uncertain, and the others continue. An orderly stop during a submission is no death.
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
"""This many starts in a row may die during one job's submission; the last one makes the job uncertain."""

ALONE = timedelta(seconds=30)
"""For how long others wait while a suspected job is being submitted: a crash normally happens within this time."""

_DIED = "the process ended before the answer came"
_STOPPED = "the supervisor was stopped before the answer came"


def mark_orphans(tx: Transaction, in_flight: Set[str], *, first: bool) -> None:
    """Make every intent that is not ``in_flight`` an unknown outcome (B13): the scheduler that made the calls is gone.

    ``first``: this is the first time in this process, so the intents were left by an earlier process.
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
    """This process ends in order, so present submissions do not kill it."""
    for one in submissions.intents(tx.connection):
        if one.error is None:
            submissions.change(tx.connection, one.key, error=_STOPPED)


def keep_suspects_apart(tx: Transaction, picks: Sequence[Pick]) -> Sequence[Pick]:
    """Those of ``picks`` that may be claimed now: a suspected job only alone, all others while no suspected one is
    being submitted.
    """
    suspects = deaths.counts(tx.connection).keys()
    if not suspects:
        return picks
    under_way = submissions.intents(tx.connection)
    if any(one.job_id in suspects and tx.now - one.intent_at < ALONE for one in under_way):
        return ()
    others = [pick for pick in picks if pick.head.job_id not in suspects]
    return others or ([] if under_way else picks[:1])
