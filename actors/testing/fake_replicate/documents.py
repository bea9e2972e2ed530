"""Writes jobs as JSON, in the shapes of real traffic rather than those of the schema.

The answer to a creation leaves out what is not known yet, all other answers say null. A list has no logs. The addresses
of a training are those of a prediction, except where the training itself is read.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from actors.testing.fake_replicate.jobs import RemoteJob, Standing

#: Recorded as the running time of a prediction that was cancelled before it started.
_NEVER_RAN = 3e-06

#: A job that waits for nothing is started a little before it is created, by the clocks of two machines.
_EARLY = timedelta(milliseconds=3)


def stamp(moment: datetime, digits: int) -> str:
    """Return a time in RFC 3339 with ``digits`` (0 to 9) fractional digits."""
    fraction = f"{moment.microsecond:06d}000"[:digits]
    whole = moment.isoformat()[:19]
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def created(job: RemoteJob, now: datetime, origin: str) -> dict[str, Any]:
    """Return the answer to the creation of a job."""
    body = _common(job, job.created_at + job.skew, job.standing(now).status, f"{origin}/v1/predictions/{job.id}")
    return body | {"logs": ""}


def canceled(job: RemoteJob, now: datetime, origin: str) -> dict[str, Any]:
    """Return the answer to a cancel request."""
    return _known(job, now, origin, f"{origin}/v1/predictions/{job.id}") | {"logs": _logs(job, now)}


def whole(job: RemoteJob, now: datetime, origin: str) -> dict[str, Any]:
    """Return the complete job. The body of a webhook is the same."""
    return _known(job, now, origin, f"{origin}/v1/{job.kind}s/{job.id}") | {"logs": _logs(job, now)}


def listed(job: RemoteJob, now: datetime, origin: str) -> dict[str, Any]:
    """Return the job as it is shown in a list."""
    return _known(job, now, origin, f"{origin}/v1/{job.kind}s/{job.id}")


def _common(job: RemoteJob, created_at: datetime, status: str, address: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": job.id,
        "model": job.model,
        "version": job.version,
        "input": dict(job.input),
        "error": None,
        "status": status,
        "created_at": stamp(created_at, job.digits),
        "urls": {"cancel": f"{address}/cancel", "get": address},
    }
    if job.deployment is not None:
        body["deployment"] = job.deployment
    if job.deadline is not None:
        body["deadline"] = stamp(job.deadline, job.digits)
    return body


def _known(job: RemoteJob, now: datetime, origin: str, address: str) -> dict[str, Any]:
    standing, removed = job.standing(now), job.removed(now)
    body = _common(job, job.created_at, standing.status, address)
    body["source"] = job.source
    body["started_at"] = _started(job, standing)
    body["completed_at"] = standing.completed_at and stamp(standing.completed_at, job.digits)
    body["output"] = _output(job, origin) if standing.status == "succeeded" and not removed else None
    if standing.status == "failed":
        body["error"] = job.script.error
    if standing.completed_at is not None:
        ran = standing.completed_at - standing.started_at if standing.started_at else timedelta()
        body["metrics"] = {
            "predict_time": ran.total_seconds() or _NEVER_RAN,
            "total_time": (standing.completed_at - job.created_at).total_seconds(),
        }
    if job.kind == "prediction":
        body["data_removed"] = removed
        body["urls"]["web"] = f"https://replicate.com/p/{job.id}"
    if removed:
        body["input"] = {}
    return body


def _started(job: RemoteJob, standing: Standing) -> str | None:
    if standing.started_at is None:
        return None
    early = _EARLY if job.script.queue_seconds == 0 else timedelta()
    return stamp(standing.started_at - early, job.digits)


def _logs(job: RemoteJob, now: datetime) -> str | None:
    return None if job.removed(now) else job.logs(now) or None


def _output(job: RemoteJob, origin: str) -> Any:
    if job.kind == "training":
        return {"version": f"{job.destination}:{job.number:064x}", "weights": f"{origin}/outputs/{job.id}/weights.tar"}
    return [f"{origin}/outputs/{job.id}/out.txt"] if job.script.output is None else job.script.output
