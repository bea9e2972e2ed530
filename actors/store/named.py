"""Jobs by the names that people give them: a job's own, and its group's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, select, text

from actors.jobs.dependencies import Parent
from actors.jobs.statuses import JobStatus
from actors.store.dialect import begins_with, constant
from actors.store.prepared import Prepared
from actors.store.schema import jobs

_NAME: BindParameter[str] = bindparam("name")
_USER: BindParameter[str] = bindparam("user")
_MOST: BindParameter[int] = bindparam("most")
_WHAT = (jobs.c.job_id, jobs.c.user_id, jobs.c.config_name, jobs.c.status, jobs.c.completed_at)
_IS_NAMED = text("jobs.config_name IS NOT NULL")  # word for word the conditions of the indexes
_IS_GROUPED = text("jobs.group_name IS NOT NULL")
_OF_NAME = select(*_WHAT).where(jobs.c.config_name == _NAME, _IS_NAMED)
_OF_USER = Prepared(_OF_NAME.where(jobs.c.user_id == _USER).order_by(jobs.c.job_id.desc()).limit(_MOST))
_OF_ANYBODY = Prepared(_OF_NAME.limit(_MOST))
_OF_GROUP = Prepared(
    select(*_WHAT)
    .where(
        jobs.c.user_id == _USER, jobs.c.group_name == _NAME, _IS_GROUPED,
        jobs.c.status.in_([constant(status) for status in JobStatus]),
    )
    .limit(_MOST)
)  # fmt: skip
_THESE = Prepared(select(*_WHAT).where(jobs.c.job_id.in_(bindparam("these", expanding=True))))
Found = tuple[str, Parent]
"""The user of a job, and the job as others wait for it."""


def of_name(connection: Connection, name: str, most: int, user_id: str | None = None) -> list[Found]:
    """Jobs of exactly this name; ``user_id``: only this user's, the newest first."""
    if user_id is None:
        return [_found(*row) for row in _OF_ANYBODY.all(connection, name=name, most=most)]
    return [_found(*row) for row in _OF_USER.all(connection, name=name, user=user_id, most=most)]


def of_group(connection: Connection, user_id: str, group: str, most: int) -> list[Parent]:
    """Jobs of this user's group of this name."""
    return [_found(*row)[1] for row in _OF_GROUP.all(connection, user=user_id, name=group, most=most)]


def of_ids(connection: Connection, job_ids: list[str]) -> list[Found]:
    """The jobs of these ids."""
    return [_found(*row) for row in _THESE.all(connection, these=job_ids)]


def _found(job_id: str, user_id: str, name: str | None, status: str, completed_at: datetime | None) -> Found:
    return user_id, Parent(job_id, name, JobStatus(status), completed_at)


def alike(connection: Connection, name: str, most: int) -> list[tuple[str, str]]:
    """The user and the name of some jobs whose names begin as ``name`` does."""
    query = select(jobs.c.user_id, jobs.c.config_name).where(begins_with(jobs.c.config_name, name[:2]), _IS_NAMED)
    return list(dict.fromkeys((user_id, found) for user_id, found in connection.execute(query.limit(most))))
