"""The route that Prometheus scrapes."""

from __future__ import annotations

from starlette.responses import Response

from actors.access.permission import VIEWER
from actors.api.route import Call, Nothing, route

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of the text format, which every Prometheus reads."""


async def metrics(call: Call[Nothing, Nothing]) -> Response:
    """Show the state of the runtime in Prometheus's text format."""
    text = await call.runtime.metrics.scrape()
    return Response(text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


ROUTES = [route("GET", "/metrics", metrics, VIEWER, media="text/plain")]
