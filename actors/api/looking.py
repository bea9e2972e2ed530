"""Routes that only look: a job's past, the providers, and the two words that a load balancer asks for."""

from __future__ import annotations

from typing import Any

import attrs
import trio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from actors.api.asking import answer, number, query_of, runtime_of
from actors.api.documents import event_document
from actors.control import ProviderView

MOST_EVENTS = 1000
"""Events of one page."""
_LARGEST_SEQ = 2**63 - 1


async def job_events(request: Request) -> Response:
    """What happened to one job, oldest first; ``next`` goes into ``after`` for the page after."""
    query = query_of(request, ("after", "limit"))
    limit = number(query, "limit", MOST_EVENTS, MOST_EVENTS)
    after = number(query, "after", 0, _LARGEST_SEQ)
    runtime = runtime_of(request)
    view = await runtime.job(request.path_params["job_id"])
    events = await runtime.past_events(after=after, limit=limit, job_id=view.job.job_id)
    last = events[-1].seq if len(events) == limit else None
    return answer({"events": [event_document(event) for event in events], "next": last})


async def providers(request: Request) -> Response:
    """Each provider: what it can do, whether it may be called, how its circuit breaker stands."""
    return answer({"providers": [provider_document(view) for view in await runtime_of(request).providers()]})


def provider_document(view: ProviderView) -> dict[str, Any]:
    """A provider as plain data."""
    breaker = view.breaker
    return {
        "name": view.name,
        "kind": view.kind,
        "capabilities": attrs.asdict(view.capabilities),
        "gate": view.gate,
        "breaker": {"state": breaker.state, "opened": breaker.opened, "rest_seconds": breaker.rest, "why": breaker.why},
    }


async def live(_request: Request) -> Response:
    """This process answers."""
    await trio.lowlevel.checkpoint()
    return PlainTextResponse("live\n")


async def ready(request: Request) -> Response:
    """200 where all is well or works in spite of something, 503 where an actor does not run."""
    stopped = [child["id"] for child in _actors_of(runtime_of(request).tree()) if child["state"] != "running"]
    await trio.lowlevel.checkpoint()
    return PlainTextResponse("not ready\n" if stopped else "ready\n", status_code=503 if stopped else 200)


def _actors_of(tree: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [child for node in tree if node["id"] in ("store", "actors") for child in (node, *node.get("children", ()))]


ROUTES = [
    Route("/api/jobs/{job_id}/events", job_events, methods=["GET"]),
    Route("/api/providers", providers, methods=["GET"]),
    Route("/health/live", live, methods=["GET"]),
    Route("/health/ready", ready, methods=["GET"]),
]
