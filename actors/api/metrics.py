"""The route that Prometheus scrapes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.api.asking import runtime_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format that every Prometheus reads."""


async def metrics(request: Request) -> Response:
    """The state of the runtime in Prometheus's text format."""
    text = await runtime_of(request).metrics()
    return Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


ROUTES = [Route("/metrics", metrics, methods=["GET"])]
