"""Webhooks in: the route on which providers deliver, and an application of its own that a host may mount.

It is open to the world, so it tells the world nothing: whatever is wrong with a delivery is one and the same answer,
and the reason stands in the log.
"""

from __future__ import annotations

from contextlib import aclosing

import trio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from actors.api.asking import runtime_of
from actors.api.problems import HANDLERS, problem
from actors.control import DeliveryOutcome, RefusalKind, Refused, Runtime
from logconf.asgi import App, CorrelationMiddleware

MOST_BYTES = 1 << 20
"""Of a delivery."""

READ_SECONDS = 10.0
"""In which a delivery must have come whole."""

AGAIN = 30
"""Seconds after which a sender may try again, where we could not verify what it sent."""

_LONGEST_TOKEN = 64


async def deliver(request: Request) -> Response:
    """Take one delivery: 200 when it is stored or was before, 401 when it is not to be believed."""
    body = await _body(request)
    if isinstance(body, Response):
        return body
    names = [name for name in request.headers if name.startswith("webhook-")]
    if len(names) != len(set(names)):  # which of the two would have been signed?
        return _unbelieved()
    token = request.query_params.get("token", "")[:_LONGEST_TOKEN] or None
    try:
        outcome = await runtime_of(request).push(
            request.path_params["provider"], dict(request.headers), body, token=token
        )
    except Refused as refusal:
        if refusal.kind is RefusalKind.NOT_FOUND:
            return problem(404, "there is nothing here")
        if refusal.kind is RefusalKind.UNAVAILABLE:
            return problem(503, "try again later", headers={"Retry-After": str(AGAIN)})
        raise
    return _unbelieved() if outcome is DeliveryOutcome.REJECTED else Response(status_code=200)


def _unbelieved() -> Response:
    return problem(401, "not accepted")


async def _body(request: Request) -> bytes | Response:
    """The body whole, or the answer to one that is too long, too slow or cut short."""
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdigit()) or len(announced) > 15 or int(announced) > MOST_BYTES:
        return problem(413, f"more than {MOST_BYTES} bytes")
    body = bytearray()
    try:
        with trio.move_on_after(READ_SECONDS) as reading:
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return problem(413, f"more than {MOST_BYTES} bytes")
    except ClientDisconnect:
        return _unbelieved()  # nobody reads it
    return problem(408, "too slow") if reading.cancelled_caught else bytes(body)


ROUTES = [Route("/api/webhooks/{provider}", deliver, methods=["POST"])]


def create_webhook_app(runtime: Runtime) -> App:
    """``POST /api/webhooks/{provider}`` alone, for a host that mounts it where the world can reach it."""
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.state.runtime = runtime
    return CorrelationMiddleware(app)
