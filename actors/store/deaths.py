"""Rows of submissions during which the process died: how often in a row, for each job that may be the cause.

The row of a job is deleted when a submission of the job has any outcome; a job without a row is not suspected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, exists, select, update

from actors.jobs.records import QueueStatus
from actors.store import remembered
from actors.store.dialect import upsert
from actors.store.prepared import Prepared
from actors.store.schema import hand_over_deaths, queue_entries

_HELD = tuple(status.value for status in (QueueStatus.PENDING, QueueStatus.RUNNING))
_COUNTS = Prepared(select(hand_over_deaths.c.job_id, hand_over_deaths.c.deaths))


def blame(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Count one death for the jobs that were being submitted. Returns the counts of all of them.

    A single job is the cause. Of several nobody knows which: each is suspected from then on, and no count of one is
    increased.
    """
    found = counts(connection)
    alone = len(job_ids) == 1
    after = {job_id: found.get(job_id, 0) + 1 if alone else max(found.get(job_id, 0), 1) for job_id in job_ids}
    for job_id, deaths in after.items():
        if deaths != found.get(job_id):
            connection.execute(upsert(hand_over_deaths, ("job_id",), {"job_id": job_id, "deaths": deaths}))
    remembered.changed(connection)
    return after


def counts(connection: Connection) -> Mapping[str, int]:
    """The deaths of every job that is suspected."""
    return remembered.read(connection, "deaths", lambda: dict(_COUNTS.all(connection)))


def forgive(connection: Connection, job_id: str) -> None:
    """A submission of this job had an outcome, so it did not kill the process."""
    if job_id in counts(connection):
        connection.execute(delete(hand_over_deaths).where(hand_over_deaths.c.job_id == job_id))
        remembered.changed(connection)


def try_again(connection: Connection, job_id: str) -> None:
    """A person has this job submitted again: it is suspected, with one death."""
    connection.execute(update(hand_over_deaths).where(hand_over_deaths.c.job_id == job_id).values(deaths=1))
    remembered.changed(connection)


def drop_ended(connection: Connection) -> None:
    """Delete the rows of jobs that will not be submitted any more."""
    held = (queue_entries.c.job_id == hand_over_deaths.c.job_id) & queue_entries.c.status.in_(_HELD)
    connection.execute(delete(hand_over_deaths).where(~exists().where(held)))
    remembered.changed(connection)
