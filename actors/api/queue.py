"""Routes about the queue: entries, numbers, a job's place and priority, limits, pausing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actors.access.permission import ADMIN, LEAD, OWN_JOB, OWN_LISTING, VIEWER
from actors.api.answers import page_document
from actors.api.bodies import LimitValue, PauseRequest, PriorityRequest, QueueQuery, ResumeRequest
from actors.api.route import Call, Nothing, route
from actors.documents.jobs import JobDocument, job_document
from actors.documents.queue import (
    EntryDocument,
    LimitsDocument,
    QueueDocument,
    QueueStatsDocument,
    entry_document,
    limits_document,
    queue_head,
    stats_document,
)
from actors.jobs.activity import Activity

_FIRST_PAGE = QueueQuery()


async def queue(call: Call[Nothing, QueueQuery]) -> QueueDocument:
    """List what waits, and why. Users who may see only their own jobs get those, with their places among all."""
    return await _queue_now(call, call.query)


async def stats(call: Call[Nothing, Nothing]) -> QueueStatsDocument:
    """Show the queue in numbers."""
    return stats_document(await call.reading.queue.view(limit=0), datetime.now(UTC))


async def activity(call: Call[Nothing, Nothing]) -> Activity:
    """Show how many jobs ended, waited and ran in each minute of the last hour, among those that the caller may see."""
    return await call.reading.queue.activity(call.visible_user(None))


async def entry(call: Call[Nothing, Nothing]) -> EntryDocument:
    """Show a job's place in the queue, with an estimate of its wait if one can be made."""
    return entry_document(await call.reading.jobs.get(call.path("job_id")))


async def prioritise(call: Call[PriorityRequest, Nothing]) -> JobDocument:
    """Override a waiting job's priority; null removes the override."""
    override = call.body.priority_override
    return job_document(await call.runtime.jobs.prioritise(call.path("job_id"), override, by=call.by))


async def pause(call: Call[PauseRequest, Nothing]) -> QueueDocument:
    """Dispatch no jobs to a provider, or to any if none is given, until it is resumed, also after a restart."""
    reason = f"by {call.by}" if call.body.reason is None else call.body.reason
    await call.runtime.queue.pause(call.body.provider, reason, by=call.by)
    return await _queue_now(call)


async def resume(call: Call[ResumeRequest, Nothing]) -> QueueDocument:
    """Dispatch jobs again. Resuming the whole queue does not resume providers that were paused by name."""
    await call.runtime.queue.resume(call.body.provider, by=call.by)
    return await _queue_now(call)


async def limits(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """List the limits in effect, and where each comes from."""
    return await _limits_now(call)


async def set_limit(call: Call[LimitValue, Nothing]) -> LimitsDocument:
    """Change one limit from now on, also after a restart. Its name is one of the answer, or per_provider.NAME."""
    await call.runtime.queue.set_limit(call.path("name"), call.body.value, by=call.by)
    return await _limits_now(call)


async def reset_limit(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """Return one limit to its configured value."""
    await call.runtime.queue.reset_limits([call.path("name")], by=call.by)
    return await _limits_now(call)


async def reset_limits(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """Return all limits to their configured values."""
    await call.runtime.queue.reset_limits(by=call.by)
    return await _limits_now(call)


async def _queue_now(call: Call[Any, Any], asked: QueueQuery = _FIRST_PAGE) -> QueueDocument:
    view = await call.reading.queue.view(
        limit=asked.limit, cursor=asked.cursor, user_id=call.peer.only_user, caller=call.peer.name
    )
    return page_document(QueueDocument, "waiting", view.waiting, job_document, queue_head(view))


async def _limits_now(call: Call[Any, Any]) -> LimitsDocument:
    return {"limits": limits_document(*await call.reading.queue.limits())}


ROUTES = [
    route("GET", "/api/queue", queue, OWN_LISTING),
    route("GET", "/api/queue/stats", stats, VIEWER),
    route("GET", "/api/queue/activity", activity, OWN_LISTING),
    route("POST", "/api/queue/pause", pause, ADMIN),
    route("POST", "/api/queue/resume", resume, ADMIN),
    route("PUT", "/api/queue/{job_id}/priority", prioritise, LEAD),  # first: a job may be called "limits"
    route("GET", "/api/queue/limits", limits, VIEWER),
    route("DELETE", "/api/queue/limits", reset_limits, ADMIN),
    route("PUT", "/api/queue/limits/{name}", set_limit, ADMIN),
    route("DELETE", "/api/queue/limits/{name}", reset_limit, ADMIN),
    route("GET", "/api/queue/{job_id}", entry, OWN_JOB),
]
