"""What the edges show, as plain JSON objects: one function for each kind of record.

Field names are promises. Times are UTC texts with milliseconds and ``Z``, money is US dollars, memory is bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import orjson

from actors.control import Accepted, Health, JobView, PruneResult, QueueView
from actors.jobs.options import Limits
from actors.jobs.records import ApprovalRequest, Event

Document = dict[str, Any]


def encoded(document: Any) -> bytes:
    """``document`` as JSON. What a job left behind may hold numbers or texts that only the standard library writes."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def moment(time: datetime | None) -> str | None:
    """``2024-01-15T10:30:00.000Z``, or None."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_document(view: JobView) -> Document:
    """A job with what is known around it: ``reason`` and ``setting`` say why it waits and what changes that (C7)."""
    job, entry, request = view.job, view.entry, view.job.request
    return {
        "job_id": job.job_id,
        "status": job.status.value,
        "queue_status": view.queue_status.value,
        "correlation_id": job.correlation_id,
        "provider": job.provider,
        "user_id": request.user_id,
        "org_id": request.org_id,
        "team_id": request.team_id,
        "config_name": request.config_name,
        "command": list(request.command) if request.command is not None else None,
        "entry_point": request.entry_point,
        "resources": attrs.asdict(request.resources),
        "priority": entry.base_priority if entry.priority_override is None else entry.priority_override,
        "priority_override": entry.priority_override,
        "attempt": entry.attempt,
        "max_attempts": entry.max_attempts,
        "created_at": moment(job.created_at),
        "queued_at": moment(entry.queued_at),
        "not_before": moment(entry.not_before),
        "started_at": moment(job.started_at),
        "completed_at": moment(job.completed_at),
        "cost_usd": job.cost_usd,
        "error_message": job.error_message or entry.error_message,
        "output_url": job.output_url,
        "exit_code": job.exit_code,
        "progress": _plain(job.progress),
        "result": _plain(job.result),
        "cancel_requested_at": moment(job.cancel_requested_at),
        "cancel_requested_by": job.cancel_requested_by,
        "uncertain": _uncertain(view),
        "retry_of": job.retry_of,
        "reason": view.reason,
        "setting": view.setting,
        "position": view.position,
        "estimate_seconds": view.estimate,
        "submission": _submission(view),
        "approval": None if view.approval is None else approval_document(view.approval),
    }


def accepted_document(accepted: Accepted) -> Document:
    """The answer to a request: its job, and whether it was ``created`` now or stood there under the same key (B20)."""
    view = JobView(accepted.job, accepted.entry, accepted.entry.status, accepted.approval)
    return job_document(view) | {"created": accepted.created}


def approval_document(request: ApprovalRequest) -> Document:
    """A question put to a person, and how it was decided."""
    return {
        "approval_id": request.approval_id,
        "job_id": request.job_id,
        "status": request.status.value,
        "reason": request.reason,
        "required_level": request.required_level,
        "requested_at": moment(request.requested_at),
        "expires_at": moment(request.expires_at),
        "decided_at": moment(request.decided_at),
        "decided_by": request.decided_by,
        "decision_reason": request.decision_reason,
    }


def queue_document(view: QueueView) -> Document:
    """The queue at one moment, in the order in which it would run."""
    return {
        "summary": view.summary,
        "running": view.running,
        "counts": dict(view.counts),
        "limits": limits_document(view.limits, view.limit_sources),
        "closed_providers": dict(view.closed_providers),
        "waiting": [job_document(one) for one in view.waiting],
    }


def limits_document(limits: Limits, sources: Mapping[str, str]) -> list[Document]:
    """Every limit by name, its value and where that came from; ``stored``: changed at run time (B10)."""
    plain = {name: value for name, value in attrs.asdict(limits).items() if name != "per_provider"}
    plain |= {f"per_provider.{name}": value for name, value in limits.per_provider.items()}
    return [{"name": name, "value": value, "source": sources.get(name, "configured")} for name, value in plain.items()]


def health_document(health: Health, started_at: datetime) -> Document:
    """Whether the runtime does its work, and since when it runs."""
    return {
        "status": health.status,
        "reasons": list(health.reasons),
        "uncertain_jobs": list(health.uncertain_jobs),
        "started_at": moment(started_at),
    }


def prune_document(result: PruneResult) -> Document:
    """What was removed, or would be."""
    times = {"before": moment(result.before), "oldest": moment(result.oldest)}
    return {"jobs": result.jobs, "events": result.events, "kept": result.kept, **times}


def event_document(event: Event) -> Document:
    """A change as clients see it (B23)."""
    told = {"seq": event.seq, "time": moment(event.time), "correlation_id": event.correlation_id}
    return event.as_message() | told


def _plain(value: Mapping[str, Any] | None) -> Document | None:
    return None if value is None else dict(value)


def _uncertain(view: JobView) -> Document | None:
    if view.job.uncertain_since is None:
        return None
    return {"since": moment(view.job.uncertain_since), "reason": view.job.uncertain_reason}


def _submission(view: JobView) -> Document | None:
    one = view.submission
    if one is None:
        return None
    return {"key": one.key, "state": one.state.value, "handle": _plain(one.handle), "handed_at": moment(one.handed_at)}
