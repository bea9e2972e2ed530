"""Running jobs as forecasts need them, each by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection, select, text

from actors.jobs.scheduling import Running
from actors.store import queue
from actors.store.prepared import Prepared
from actors.store.schema import jobs, queue_entries

_RUNNING_JOBS = Prepared(
    select(
        *queue.OWNER, queue_entries.c.job_id, jobs.c.config_name, jobs.c.started_at, jobs.c.progress, jobs.c.pace,
        jobs.c.updated_at, queue_entries.c.max_runtime,
    ).where(text("queue_entries.status = 'running'"), jobs.c.job_id == queue_entries.c.job_id)
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
