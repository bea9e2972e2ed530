"""Jobs by what people call them: an id, the beginning or end of one, or a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, bindparam, select

from actors.jobs.statuses import JobStatus
from actors.store import dialect
from actors.store.dialect import LEAST_OF_ID, constant, unindexed
from actors.store.prepared import Prepared
from actors.store.schema import jobs


class Called(NamedTuple):
    """A job as far as it is chosen by."""

    job_id: str
    name: str | None
    user_id: str
    status: str


COLUMNS = (jobs.c.job_id, jobs.c.config_name, jobs.c.user_id, jobs.c.status)
_NEWEST_FIRST = select(*COLUMNS).order_by(unindexed(jobs.c.job_id).desc()).limit(bindparam("most"))
_OF_USER = jobs.c.user_id == bindparam("user_id")
_OF_NAME = _NEWEST_FIRST.where(jobs.c.config_name == bindparam("name"))
_NAMED = Prepared(_OF_NAME)
_NAMED_OF_USER = Prepared(_OF_NAME.where(_OF_USER))
_BY_IDS = Prepared(select(*COLUMNS).where(jobs.c.job_id.in_(bindparam("these", expanding=True))))

_EARLIER = jobs.alias("earlier")
_OWN_RETRIES = Prepared(
    select(jobs.c.retry_of, jobs.c.job_id)
    .join_from(jobs, _EARLIER, jobs.c.retry_of == _EARLIER.c.job_id)
    .where(
        jobs.c.retry_of.in_(bindparam("these", expanding=True)),
        jobs.c.user_id.in_((_EARLIER.c.user_id, bindparam("user"))),
    )
    .order_by(jobs.c.job_id)
)
_PROVIDER = Prepared(select(jobs.c.provider, jobs.c.correlation_id).where(jobs.c.job_id == bindparam("this")))

_NEWEST_IDS = select(jobs.c.job_id).order_by(jobs.c.job_id.desc()).limit(bindparam("most"))
_LABELS = (jobs.c.config_name, jobs.c.group_name)
_NEWEST = {label: Prepared(select(label).where(jobs.c.job_id.in_(_NEWEST_IDS))) for label in _LABELS}
_NEWEST_OF_USER = {  # an index has a user's jobs in their order within each status
    label: [
        Prepared(select(label).where(jobs.c.job_id.in_(_NEWEST_IDS.where(_OF_USER, jobs.c.status == constant(status)))))
        for status in JobStatus
    ]
    for label in _LABELS
}


def of_ids(connection: Connection, job_ids: Iterable[str]) -> dict[str, Called]:
    """The jobs of these ids, by id."""
    return {row[0]: Called(*row) for row in _BY_IDS.all(connection, these=job_ids)}


def newest_retries(connection: Connection, job_ids: Iterable[str], user_id: str | None = None) -> dict[str, str]:
    """Those of these ids that their owner or this user submitted again, each with the newest job that this led to."""
    newest: dict[str, str] = {}
    origins = {one: [one] for one in job_ids}
    while origins:  # a retry may have been submitted again, too
        moved: dict[str, list[str]] = {}
        found = {row[0]: row[1] for row in _OWN_RETRIES.all(connection, these=list(origins), user=user_id)}
        for before, after in found.items():
            newest |= dict.fromkeys(origins[before], after)
            moved[after] = origins[before]
        origins = moved
    return newest


def provider_and_trail_of(connection: Connection, job_id: str) -> tuple[str, str]:
    """The name of a job's provider and the job's correlation ID; two empty texts where it is gone."""
    found = _PROVIDER.one(connection, this=job_id)
    return ("", "") if found is None else (found[0], found[1])


def of_name(connection: Connection, name: str, user_id: str | None, most: int) -> list[Called]:
    """The newest jobs of exactly this name, ``most`` of them; ``user_id``: of this user alone."""
    if user_id is None:
        return [Called(*row) for row in _NAMED.all(connection, name=name, most=most)]
    return [Called(*row) for row in _NAMED_OF_USER.all(connection, name=name, user_id=user_id, most=most)]


def of_part(connection: Connection, part: str, user_id: str | None, least: int = LEAST_OF_ID) -> list[Called]:
    """Some jobs whose id begins or ends with ``part``, of ``least`` characters or more; of this user alone."""
    own = [] if user_id is None else [unindexed(jobs.c.user_id) == user_id]
    ids = dialect.matching(connection, jobs.c.job_id, part, *own, least=least)
    return list(of_ids(connection, ids).values())


def recent_names(connection: Connection, user_id: str | None, most: int) -> set[str]:
    """The names of the newest jobs, ``most`` jobs; ``user_id``: of this user alone."""
    return _of_newest(connection, jobs.c.config_name, user_id, most)


def recent_groups(connection: Connection, user_id: str | None, most: int) -> set[str]:
    """The groups of the newest jobs, as :func:`recent_names` has their names."""
    return _of_newest(connection, jobs.c.group_name, user_id, most)


def _of_newest(connection: Connection, column: Column[Any], user_id: str | None, most: int) -> set[str]:
    if user_id is None:
        found = _NEWEST[column].all(connection, most=most)
    else:
        found = [row for one in _NEWEST_OF_USER[column] for row in one.all(connection, most=most, user_id=user_id)]
    return {text for (text,) in found if text is not None}
