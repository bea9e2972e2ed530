"""The attempts at one job, each with its end; for the newest one these are the job's own columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from actors.jobs.ids import attempt_of
from actors.jobs.records import Job, Submission
from actors.jobs.views import Attempt, JobView
from actors.store import submissions

MOST_SHOWN = 100
"""The most attempts of a job that are shown, newest first."""

_MOMENTS = ("started_at", "completed_at")
_PLAIN = ("exit_code", "signal", "error_message", "output_url", "cost_usd")


def attempts(connection: Connection, view: JobView) -> tuple[Attempt, ...]:
    """The newest attempts at the job of ``view``, the oldest of them first; where there is one, it is in the view."""
    job = view.job
    if view.entry.attempt:
        found = submissions.newest_of(connection, job.job_id, MOST_SHOWN)
    else:
        found = [] if view.submission is None else [view.submission]
    return tuple(_attempt(one, job if one is found[-1] else None) for one in found)


def _attempt(one: Submission, job: Job | None) -> Attempt:
    """One attempt. ``job``: the job, if this is its newest attempt."""
    end: Mapping[str, Any] = one.outcome or {}
    if one.outcome is None and job is not None and one.handle is not None:
        end = {"status": job.status.value, **{name: getattr(job, name) for name in (*_MOMENTS, *_PLAIN, "devices")}}
    devices = end.get("devices")
    shown: dict[str, Any] = {name: end.get(name) for name in _PLAIN}
    shown |= {name: _moment(end.get(name)) for name in _MOMENTS}
    shown |= {"status": end.get("status"), "devices": None if devices is None else tuple(devices)}
    shown["error_message"] = shown["error_message"] or one.error
    own: dict[str, Any] = {"attempt": attempt_of(one.key), "key": one.key, "state": one.state}
    return Attempt(**own, **shown, handed_at=one.handed_at, closed_at=one.closed_at)


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
