"""Running jobs, each by itself, for forecasts and for what is kept; how long earlier jobs of a name ran."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection, bindparam, func, select

from actors.jobs.durations import seconds_between
from actors.jobs.records import JobStatus
from actors.jobs.reservations import Holder, ReservePolicy
from actors.jobs.scheduling import Running
from actors.store import lanes, queue
from actors.store.dialect import constant, unindexed
from actors.store.prepared import Prepared
from actors.store.schema import jobs, queue_entries

_RUNNING_JOBS = Prepared(
    select(
        *queue.OWNER, queue_entries.c.job_id, jobs.c.config_name, jobs.c.started_at, jobs.c.progress, jobs.c.pace,
        jobs.c.updated_at, queue_entries.c.max_runtime,
    ).where(queue.HOLDS_SLOT, jobs.c.job_id == queue_entries.c.job_id)
)  # fmt: skip


@attrs.frozen
class RunningJob:
    """A running job as a forecast needs it: what it holds, and what is known of its end."""

    holds: Running
    job_id: str
    config_name: str | None
    started_at: datetime | None
    progress: Any
    pace: Any
    updated_at: datetime
    max_runtime: float | None


def running_jobs(connection: Connection) -> list[RunningJob]:
    """What runs, each by itself."""
    width = len(queue.OWNER)
    return [RunningJob(queue.running_of(row[:width], 1), *row[width:]) for row in _RUNNING_JOBS.all(connection)]


_NUMBERS = Prepared(
    select(queue_entries.c.provider, func.count().label("number"))
    .where(queue.HOLDS_SLOT)
    .group_by(queue_entries.c.provider)
)


def numbers_at(connection: Connection) -> dict[str, int]:
    """How many jobs each provider has."""
    return {provider: int(number) for provider, number in _NUMBERS.all(connection)}


_HOLDERS = Prepared(
    select(*queue.NEEDS, queue_entries.c.started_at, queue_entries.c.max_runtime).where(
        queue.HOLDS_SLOT, unindexed(queue_entries.c.provider) == bindparam("name")
    )
)


def holders(connection: Connection, provider: str, policy: ReservePolicy, now: datetime) -> list[Holder]:
    """What runs at this provider, each with when it surely has ended."""
    return [
        policy.holder(provider, lanes.needs_of(cpus, gpus, memory), min(started_at or now, now), max_runtime)
        for cpus, gpus, memory, started_at, max_runtime in _HOLDERS.all(connection, name=provider)
    ]


_BY_NAME = (
    select(jobs.c.status, jobs.c.started_at, jobs.c.completed_at)
    .where(jobs.c.config_name == bindparam("name"), jobs.c.user_id == bindparam("user"))
    .order_by(jobs.c.job_id.desc())
    .limit(bindparam("among"))
    .subquery()
)
_RUN_TIMES = Prepared(
    select(_BY_NAME.c.started_at, _BY_NAME.c.completed_at)
    .where(
        _BY_NAME.c.status == constant(JobStatus.COMPLETED),
        _BY_NAME.c.started_at.is_not(None),
        _BY_NAME.c.completed_at.is_not(None),
    )
    .limit(bindparam("most"))
)
_AMONG = 10_000
"""Jobs of a name, the newest, among which those that completed are looked for; as many may wait."""


def run_times(connection: Connection, user_id: str, name: str, most: int = 50) -> list[float]:
    """How long the newest ``most`` jobs of this user and this name ran that completed, in seconds."""
    rows = _RUN_TIMES.all(connection, user=user_id, name=name, most=most, among=_AMONG)
    return [seconds_between(started, ended) for started, ended in rows]


_NAME = Prepared(select(jobs.c.config_name).where(jobs.c.job_id == bindparam("this")))


def name_of(connection: Connection, job_id: str) -> str | None:
    """The name of a job."""
    row = _NAME.one(connection, this=job_id)
    return None if row is None else row[0]
