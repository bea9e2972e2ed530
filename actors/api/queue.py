"""Routes about what waits: entries, numbers, a job's place and priority, limits, pausing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actors.access.permission import ADMIN, LEAD, OWN_JOB, OWN_LISTING, VIEWER
from actors.api.answers import page_document
from actors.api.bodies import LimitValue, PauseRequest, PriorityRequest, QueueQuery, ResumeRequest
from actors.api.route import Call, Nothing, route
from actors.documents.jobs import JobDocument, job_document
from actors.documents.queue import (
    ActivityDocument,
    EntryDocument,
    LimitsDocument,
    QueueDocument,
    QueueStatsDocument,
    activity_document,
    entry_document,
    limits_document,
    queue_head,
    stats_document,
)

_FIRST_PAGE = QueueQuery()


async def queue(call: Call[Nothing, QueueQuery]) -> QueueDocument:
    """What waits and why. A user who may only see their own jobs gets those, in their places."""
    return await _queue_now(call, call.query)


async def stats(call: Call[Nothing, Nothing]) -> QueueStatsDocument:
    """The queue in numbers."""
    return stats_document(await call.reading.queue.view(limit=0), datetime.now(UTC))


async def activity(call: Call[Nothing, Nothing]) -> ActivityDocument:
    """What ended in each minute of the last hour, and how many jobs waited and ran: of all that the caller sees."""
    return activity_document(await call.reading.queue.activity(call.visible_user(None)))


async def entry(call: Call[Nothing, Nothing]) -> EntryDocument:
    """A job's place in the queue, with an estimate of its wait where there is a basis for one."""
    return entry_document(await call.reading.jobs.get(call.path("job_id")))


async def prioritise(call: Call[PriorityRequest, Nothing]) -> JobDocument:
    """Override a waiting job's priority; null takes the override away."""
    override = call.body.priority_override
    return job_document(await call.runtime.jobs.prioritise(call.path("job_id"), override, by=call.by))


async def pause(call: Call[PauseRequest, Nothing]) -> QueueDocument:
    """Dispatch nothing to a provider, or nothing at all, until it is resumed; kept over a restart."""
    reason = f"by {call.by}" if call.body.reason is None else call.body.reason
    await call.runtime.queue.pause(call.body.provider, reason, by=call.by)
    return await _queue_now(call)


async def resume(call: Call[ResumeRequest, Nothing]) -> QueueDocument:
    """Dispatch again. What was paused by itself stays so when the whole queue is resumed."""
    await call.runtime.queue.resume(call.body.provider, by=call.by)
    return await _queue_now(call)


async def limits(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """The limits that hold, and where each comes from."""
    return await _limits_now(call)


async def set_limit(call: Call[LimitValue, Nothing]) -> LimitsDocument:
    """Change one limit now and keep it. Names are those of the answer; per_provider.NAME is one provider's."""
    await call.runtime.queue.set_limit(call.path("name"), call.body.value, by=call.by)
    return await _limits_now(call)


async def reset_limit(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """Let the configured value of one limit hold again."""
    await call.runtime.queue.reset_limits([call.path("name")], by=call.by)
    return await _limits_now(call)


async def reset_limits(call: Call[Nothing, Nothing]) -> LimitsDocument:
    """Let the configured values of all limits hold again."""
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
    route("GET", "/api/queue/limits", limits, VIEWER),
    route("DELETE", "/api/queue/limits", reset_limits, ADMIN),
    route("PUT", "/api/queue/limits/{name}", set_limit, ADMIN),
    route("DELETE", "/api/queue/limits/{name}", reset_limit, ADMIN),
    route("GET", "/api/queue/{job_id}", entry, OWN_JOB),
    route("PUT", "/api/queue/{job_id}/priority", prioritise, LEAD),
]
