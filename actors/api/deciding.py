"""Routes about what holds jobs back (the queue, providers' gates, limits, approvals) and about the runtime itself."""

from __future__ import annotations

import attrs
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.api.asking import answer, asker, by, field, fields_of, number, query_of, runtime_of
from actors.api.documents import approval_document, health_document, limits_document, prune_document, queue_document
from actors.api.jobs import MOST_JOBS, statuses
from actors.jobs.records import ApprovalStatus

MOST_WAITING = 10_000


async def queue(request: Request) -> Response:
    """What waits and why."""
    query = query_of(request, ("limit",))
    view, own = (
        await runtime_of(request).queue(limit=number(query, "limit", 1000, MOST_WAITING)),
        asker(request).only_user,
    )
    if own is not None:
        view = attrs.evolve(view, waiting=tuple(one for one in view.waiting if one.job.request.user_id == own))
    return answer(queue_document(view))


async def pause(request: Request) -> Response:
    """Dispatch nothing to ``provider`` until it is resumed; kept over a restart."""
    given = await fields_of(request, ("provider", "reason"))
    reason = field(given, "reason", str, f"paused by {by(request)}")
    await runtime_of(request).pause(field(given, "provider", str), reason, by=by(request))
    return await _queue_now(request)


async def resume(request: Request) -> Response:
    """Dispatch to ``provider`` again."""
    given = await fields_of(request, ("provider",))
    await runtime_of(request).resume(field(given, "provider", str), by=by(request))
    return await _queue_now(request)


async def _queue_now(request: Request) -> Response:
    return answer(queue_document(await runtime_of(request).queue()))


async def approvals(request: Request) -> Response:
    """Approval requests, newest first."""
    query = query_of(request, ("status", "limit"))
    wanted = statuses(query.get("status", ()), ApprovalStatus)
    limit, own, runtime = number(query, "limit", 100, MOST_JOBS), asker(request).only_user, runtime_of(request)
    found = await runtime.approvals(statuses=wanted, limit=limit if own is None else MOST_JOBS)
    if own is not None:
        owners = await runtime.access.owners(each.job_id for each in found)
        found = [each for each in found if owners.get(each.job_id) == own][:limit]
    return answer({"approvals": [approval_document(each) for each in found]})


async def approve(request: Request) -> Response:
    """Grant a request, named by its id or by its job's."""
    await fields_of(request, ())
    decided = await runtime_of(request).approve(
        request.path_params["approval_id"], by=by(request), level=asker(request).level
    )
    return answer(approval_document(decided))


async def reject(request: Request) -> Response:
    """Reject a request: its job is cancelled."""
    given = await fields_of(request, ("reason",))
    reason = field(given, "reason", str, "")
    decided = await runtime_of(request).reject(
        request.path_params["approval_id"], by=by(request), reason=reason, level=asker(request).level
    )
    return answer(approval_document(decided))


async def limits(request: Request) -> Response:
    """The limits that hold, and where each comes from."""
    return answer({"limits": limits_document(*await runtime_of(request).limits())})


async def set_limit(request: Request) -> Response:
    """Change one limit now and keep it (B10)."""
    given = await fields_of(request, ("value",))
    await runtime_of(request).set_limit(request.path_params["name"], field(given, "value", int), by=by(request))
    return await limits(request)


async def reset_limits(request: Request) -> Response:
    """Forget what was changed at run time: one limit, or all."""
    name = request.path_params.get("name")
    await runtime_of(request).reset_limits([] if name is None else [name], by=by(request))
    return await limits(request)


async def prune(request: Request) -> Response:
    """Remove now the jobs that were kept long enough; ``dry_run``: only say how many would go (C6)."""
    given = await fields_of(request, ("dry_run",))
    return answer(prune_document(await runtime_of(request).prune(dry_run=field(given, "dry_run", bool, False))))


async def actors(request: Request) -> Response:
    """The supervision tree."""
    await trio.lowlevel.checkpoint()
    return answer({"children": runtime_of(request).tree()})


async def health(request: Request) -> Response:
    """Whether the runtime does its work."""
    runtime = runtime_of(request)
    return answer(health_document(await runtime.health(), runtime.started_at))


ROUTES = [
    Route("/api/queue", queue, methods=["GET"]),
    Route("/api/queue/pause", pause, methods=["POST"]),
    Route("/api/queue/resume", resume, methods=["POST"]),
    Route("/api/approvals", approvals, methods=["GET"]),
    Route("/api/approvals/{approval_id}/approve", approve, methods=["POST"]),
    Route("/api/approvals/{approval_id}/reject", reject, methods=["POST"]),
    Route("/api/limits", limits, methods=["GET"]),
    Route("/api/limits", reset_limits, methods=["DELETE"]),
    Route("/api/limits/{name}", set_limit, methods=["PUT"]),
    Route("/api/limits/{name}", reset_limits, methods=["DELETE"]),
    Route("/api/prune", prune, methods=["POST"]),
    Route("/api/actors", actors, methods=["GET"]),
    Route("/health", health, methods=["GET"]),
]
