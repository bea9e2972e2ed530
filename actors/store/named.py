"""Jobs as others wait for them: one, or those of a group."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BindParameter, Connection, bindparam, select, text

from actors.jobs.dependencies import Parent
from actors.jobs.statuses import JobStatus
from actors.store.dialect import constant
from actors.store.prepared import Prepared
from actors.store.rows import status_of
from actors.store.schema import jobs

_NAME: BindParameter[str] = bindparam("name")
_USER: BindParameter[str] = bindparam("user")
_MOST: BindParameter[int] = bindparam("most")
_WHAT = (jobs.c.job_id, jobs.c.config_name, jobs.c.status, jobs.c.completed_at)
_IS_GROUPED = text("jobs.group_name IS NOT NULL")  # word for word the condition of the index
_OF_GROUP = Prepared(
    select(*_WHAT)
    .where(
        jobs.c.user_id == _USER, jobs.c.group_name == _NAME, _IS_GROUPED,
        jobs.c.status.in_([constant(status) for status in JobStatus]),
    )
    .limit(_MOST)
)  # fmt: skip
_THIS = Prepared(select(*_WHAT).where(jobs.c.job_id == bindparam("this")))


def of_group(connection: Connection, user_id: str, group: str, most: int) -> list[Parent]:
    """Jobs of this user's group of this name."""
    return [_parent(*row) for row in _OF_GROUP.all(connection, user=user_id, name=group, most=most)]


def of_id(connection: Connection, job_id: str) -> Parent:
    """The job of this id, which is there."""
    row = _THIS.one(connection, this=job_id)
    assert row is not None, f"there is no job {job_id}"
    return _parent(*row)


def _parent(job_id: str, name: str | None, status: str, completed_at: datetime | None) -> Parent:
    return Parent(job_id, name, status_of(status), completed_at)
