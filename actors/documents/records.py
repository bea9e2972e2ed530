"""What the edges show, as plain JSON objects: one function for each kind of record.

Field names are promises. Times are UTC texts with milliseconds and ``Z``, money is US dollars, memory is bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

import attrs
import orjson

from actors.control.health import Health
from actors.documents import (
    AcceptedDocument,
    ApprovalDocument,
    CaughtDocument,
    Document,
    DryRunDocument,
    EntryDocument,
    EventDocument,
    HealthDocument,
    JobDocument,
    LimitDocument,
    ProviderDocument,
    PruneDocument,
    QueueDocument,
    QueueHead,
    QueueStatsDocument,
    ResourcesDocument,
    RuleDocument,
    SubmissionDocument,
    UncertainDocument,
)
from actors.jobs import maxima
from actors.jobs.durations import seconds_between
from actors.jobs.options import Limits
from actors.jobs.os_text import readable, shown
from actors.jobs.records import ApprovalRequest, Event
from actors.jobs.retention import PruneResult
from actors.jobs.views import Accepted, DryRun, JobView, QueueView, RuleView
from actors.ledger.provider_views import ProviderView


def encoded(document: Any) -> bytes:
    """``document`` as JSON. What a job left behind may hold numbers or texts that only the standard library writes."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return json.dumps(readable(document), separators=(",", ":")).encode()


def moment(time: datetime | None) -> str | None:
    """``2024-01-15T10:30:00.000Z``, or None."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_document(view: JobView) -> JobDocument:
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
        "command": [shown(word) for word in request.command] if request.command is not None else None,
        "entry_point": request.entry_point,
        "resources": ResourcesDocument(
            cpus=request.resources.cpus, gpus=request.resources.gpus, memory=request.resources.memory
        ),
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
        "signal": job.signal,
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


def accepted_document(accepted: Accepted) -> AcceptedDocument:
    """The answer to a request: its job, and whether it was ``created`` now or stood there under the same key (B20)."""
    view = JobView(accepted.job, accepted.entry, accepted.entry.status, accepted.approval)
    return {**job_document(view), "created": accepted.created}


def approval_document(request: ApprovalRequest) -> ApprovalDocument:
    """A question put to a person, and how it was decided."""
    return {
        "approval_id": request.approval_id,
        "job_id": request.job_id,
        "status": request.status.value,
        "reason": request.reason,
        "required_level": request.required_level,
        "rule_id": request.rule_id,
        "requested_at": moment(request.requested_at),
        "expires_at": moment(request.expires_at),
        "decided_at": moment(request.decided_at),
        "decided_by": request.decided_by,
        "decision_reason": request.decision_reason,
    }


def queue_document(view: QueueView) -> QueueDocument:
    """The queue at one moment, in the order in which it would run."""
    return {
        **queue_head(view),
        "waiting": [job_document(one) for one in view.waiting],
        "next": view.waiting.next,
    }


def queue_head(view: QueueView) -> QueueHead:
    """What bounds the queue, without what waits in it."""
    return {
        "summary": view.summary,
        "running": view.running,
        "counts": dict(view.counts),
        "limits": limits_document(view.limits, view.limit_sources),
        "closed_providers": dict(view.closed_providers),
        "paused": view.paused,
        "pruning_held": view.pruning_held,
    }


def stats_document(view: QueueView, now: datetime) -> QueueStatsDocument:
    """The queue in numbers."""
    oldest = view.oldest_queued_at
    return {
        "summary": view.summary,
        "running": view.running,
        "counts": dict(view.counts),
        "oldest_wait_seconds": None if oldest is None else seconds_between(oldest, now),
        "closed_providers": dict(view.closed_providers),
        "paused": view.paused,
    }


def entry_document(view: JobView) -> EntryDocument:
    """A job's place in the queue."""
    job = job_document(view)
    return {
        "job_id": job["job_id"],
        "queue_status": job["queue_status"],
        "position": job["position"],
        "estimate_seconds": job["estimate_seconds"],
        "priority": job["priority"],
        "priority_override": job["priority_override"],
        "attempt": job["attempt"],
        "max_attempts": job["max_attempts"],
        "queued_at": job["queued_at"],
        "not_before": job["not_before"],
        "reason": job["reason"],
        "setting": job["setting"],
    }


def limits_document(limits: Limits, sources: Mapping[str, str]) -> list[LimitDocument]:
    """Every limit by name, its value and where that came from; ``stored``: changed at run time (B10)."""
    plain = {name: value for name, value in attrs.asdict(limits).items() if name != "per_provider"}
    plain |= {f"per_provider.{name}": value for name, value in limits.per_provider.items()}
    return [{"name": name, "value": value, "source": sources.get(name, "configured")} for name, value in plain.items()]


def health_document(health: Health) -> HealthDocument:
    """Whether the runtime does its work, and since when it runs."""
    return {
        "status": health.status,
        "reasons": list(health.reasons),
        "notes": list(health.notes),
        "uncertain_jobs": list(health.uncertain_jobs[: maxima.ROWS]),
        "started_at": moment(health.started_at),
    }


def prune_document(result: PruneResult) -> PruneDocument:
    """What was removed, or would be."""
    return {
        "jobs": result.jobs,
        "events": result.events,
        "kept": result.kept,
        "before": moment(result.before),
        "oldest": moment(result.oldest),
        "held": result.held,
    }


def rule_document(view: RuleView) -> RuleDocument:
    """An approval rule that holds."""
    rule = view.rule
    return {
        "rule_id": rule.rule_id,
        "name": rule.name,
        "condition": rule.condition,
        "value": rule.value,
        "priority": rule.priority,
        "applies_to_provider": rule.applies_to_provider,
        "applies_to_level": rule.applies_to_level,
        "exempt_levels": list(rule.exempt_levels),
        "required_approver_level": rule.required_approver_level,
        "is_active": rule.is_active,
        "source": view.source,
        "changed_at": moment(view.changed_at),
        "changed_by": view.changed_by,
    }


def dry_run_document(found: DryRun) -> DryRunDocument:
    """Which of the last jobs a rule would have held back."""
    caught = [
        CaughtDocument(job_id=one.job_id, user_id=one.user_id, created_at=moment(one.created_at), reason=one.reason)
        for one in found.caught
    ]
    return {"looked_at": found.looked_at, "caught": caught}


def provider_document(view: ProviderView) -> ProviderDocument:
    """How a provider stands."""
    return {
        "name": view.name,
        "kind": view.kind,
        "breaker": {
            "state": view.breaker.state.value,
            "opened": view.breaker.opened,
            "rest_seconds": view.breaker.retry_after,
            "why": view.breaker.why,
        },
        "gate": view.gate,
        "checked": view.checked,
        "fault": view.fault,
        "capabilities": attrs.asdict(view.capabilities, value_serializer=lambda _one, _field, value: _word(value)),
    }


def event_document(event: Event) -> EventDocument:
    """A change as clients see it (B23)."""
    message = event.as_message()
    message |= {"seq": event.seq, "time": moment(event.time), "correlation_id": event.correlation_id}
    return cast("EventDocument", message)


def _word(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _plain(value: Mapping[str, Any] | None) -> Document | None:
    return None if value is None else dict(value)


def _uncertain(view: JobView) -> UncertainDocument | None:
    if view.job.uncertain_since is None:
        return None
    return {"since": moment(view.job.uncertain_since), "reason": view.job.uncertain_reason}


def _submission(view: JobView) -> SubmissionDocument | None:
    one = view.submission
    if one is None:
        return None
    return {"key": one.key, "state": one.state.value, "handle": _plain(one.handle), "handed_at": moment(one.handed_at)}
