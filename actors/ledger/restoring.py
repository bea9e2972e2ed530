"""The changes of rows by a restore from a backup, before any supervisor opens them (F3).

The backup is older than the last events: a job that waited in it may have run since, one that ran may have ended, or
run again. So every job that had not ended is marked (:class:`~actors.jobs.records.Restored`), is in no lane, and is
looked up at its provider once a supervisor runs (:mod:`actors.ledger.look_ups`). Nothing starts before a person ends
the pause of the queue.
"""

from __future__ import annotations

import attrs

from actors.jobs.events import EventType
from actors.jobs.records import QueueStatus, Restored, SubmissionState
from actors.jobs.retention import silent
from actors.ledger.base import load_readable
from actors.ledger.limits import pause
from actors.ledger.uncertain import prolong_request
from actors.store import (
    Transaction,
    access,
    deaths,
    events,
    holds,
    notifications,
    queue,
    restored,
    submissions,
)
from actors.store.access import AccessToken
from actors.store.restored import Restore

NOT_SENT = "not sent: restored"
_LOST = "the backup was made before the answer came"


@attrs.frozen
class Begun:
    """The result of a restore: jobs that are to be looked up, sessions that ended, notifications that are not sent.

    ``tokens``: those that stay valid.
    """

    to_look_up: int
    sessions: int
    notifications: int
    tokens: tuple[AccessToken, ...]


def ensure_instance_id(tx: Transaction, new: str) -> None:
    """Let this runtime be ``new`` unless it is one already."""
    if restored.instance_id(tx.connection) is None:
        restored.put_instance_id(tx.connection, new, tx.now)


def begin(tx: Transaction, restore: Restore, instance_id: str) -> Begun:
    """Make the rows of a backup those of a new runtime, ``instance_id``, that starts with its queue paused."""
    connection = tx.connection
    restored.put_instance_id(connection, instance_id, tx.now)
    restored.put(connection, restore, tx.now)
    if (old := silent(events.newest_time(connection), tx.now)) is not None:
        holds.begin(connection, old, tx.now)  # now: the event of this restore is a new one at the next start (C6)
    reason = f"restored from a backup of {restore.began_at:%Y-%m-%d %H:%M:%S} UTC: look at the jobs, then resume it"
    pause(tx, None, reason=reason, by="restore")
    number = sum(_mark(tx, job_id) for job_id in restored.active(connection))
    ended = access.end_all_sessions(connection)
    access.count_version(connection)
    not_sent = notifications.end_all(connection, tx.now, NOT_SENT)
    tokens = tuple(one for one in access.unrevoked(connection) if one.holds(tx.now))
    tx.emit(
        EventType.RESTORED, None, tx.correlation_id, began_at=restore.began_at.isoformat(), original=restore.original,
        instance_id=instance_id, to_look_up=number,
    )  # fmt: skip
    return Begun(number, ended, not_sent, tokens)


def _mark(tx: Transaction, job_id: str) -> bool:
    """Let one job be looked up, a damaged one once its row is mended. False: an earlier restore left it uncertain."""
    pair = load_readable(tx, job_id)
    if pair is not None and pair.entry.restored not in (None, Restored.LOOK_UP):
        return False
    queue.change(tx.connection, job_id, restored=Restored.LOOK_UP.value)
    if pair is None:
        return True
    submission = submissions.newest(tx.connection, job_id)
    if submission is not None and submission.state is SubmissionState.INTENT:
        submissions.change(tx.connection, submission.key, state=SubmissionState.UNKNOWN, error=_LOST)
        deaths.forgive(tx.connection, job_id)
    if pair.entry.status is QueueStatus.BLOCKED:
        prolong_request(tx, job_id)
    return True
