"""Received webhooks: the route to which providers deliver, and an application of its own that a host may mount.

Anybody can reach it, so it reveals nothing: whatever is wrong with a delivery, the answer is the same. Its bodies are
not read like those of other routes: they may be longer, only a part of them is kept, and they are verified while they
arrive.
"""

from __future__ import annotations

import attrs
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from actors.access.permission import Permission
from actors.api.problems import HANDLERS, problem
from actors.api.route import Call, GuardedRoute, Nothing
from actors.control.runtime import Runtime
from actors.jobs.deliveries import MOST_READ, DeliveryNotRead, DeliveryOutcome
from actors.jobs.refusal import RefusalKind, Refused
from logconf.asgi import App, CorrelationMiddleware, Receive

READ_SECONDS = 30.0
"""Seconds in which a delivery must have arrived completely."""

AGAIN = 30
"""Seconds after which a sender may try again, if we could not verify what it sent."""

_LATER = (503, "try again later")
_PROBLEMS = {
    DeliveryOutcome.REJECTED: (401, "not accepted"),
    DeliveryOutcome.CUT_SHORT: (401, "not accepted"),  # nobody reads it
    DeliveryOutcome.TOO_LONG: (413, f"more than {MOST_READ} bytes"),
    DeliveryOutcome.TOO_SLOW: (408, "too slow"),
    DeliveryOutcome.UNVERIFIED: _LATER,
}
_REFUSALS = {RefusalKind.NOT_FOUND: (404, "there is nothing here"), RefusalKind.UNAVAILABLE: _LATER}
_LONGEST_TOKEN = 64
_LEFT = 64 << 10
_LEFT_SECONDS = 1.0


async def deliver(request: Request) -> Response:
    """Take one delivery: 200 if it is stored now or was before, 401 if it is not accepted."""
    headers = dict(request.headers)
    names = [name for name in request.headers if name.startswith("webhook-")]
    if len(names) != len(set(names)):  # which of the two would have been signed?
        headers = {name: value for name, value in headers.items() if not name.startswith("webhook-")}
    token = request.query_params.get("token", "")[:_LONGEST_TOKEN] or None
    body = _Body(request.receive, request.headers.get("content-length", "0"))
    call = Call(request, Nothing(), Nothing())
    try:
        outcome = await call.runtime.deliveries.take(call.path("provider"), headers, body, token=token)
        status, detail = _PROBLEMS.get(outcome, (200, ""))
    except Refused as refusal:
        if refusal.kind not in _REFUSALS:
            raise
        status, detail = _REFUSALS[refusal.kind]
    await body.leave()
    again = {"Retry-After": str(AGAIN)} if status == 503 else None
    return Response(status_code=200) if status == 200 else problem(status, detail, headers=again)


@attrs.define
class _Body:
    """The pieces of a body as they arrive. ``announced``: its length according to the sender.

    Raises :class:`DeliveryNotRead` if it is too long, too slow or cut short. This is not Starlette's stream, because a
    generator that is left early would have to be closed explicitly.
    """

    receive: Receive
    announced: str
    _deadline: float = attrs.field(init=False, factory=lambda: trio.current_time() + READ_SECONDS)
    _more: bool = True

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if not (self.announced.isascii() and self.announced.isdigit()) or int(self.announced[:16]) > MOST_READ:
            raise DeliveryNotRead(DeliveryOutcome.TOO_LONG)
        if not self._more:
            raise StopAsyncIteration
        with trio.CancelScope(deadline=self._deadline):
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self._more = False
                raise DeliveryNotRead(DeliveryOutcome.CUT_SHORT)
            self._more = bool(message.get("more_body"))
            return bytes(message.get("body", b""))
        raise DeliveryNotRead(DeliveryOutcome.TOO_SLOW)

    async def leave(self) -> None:
        """Read and drop the rest of a short body, so that its sender reads the answer; a slow sender is not waited
        for.
        """
        left = _LEFT
        with trio.move_on_after(_LEFT_SECONDS):
            while self._more and left > 0:
                message = await self.receive()
                left -= len(message.get("body", b""))
                self._more = message["type"] != "http.disconnect" and bool(message.get("more_body"))


ROUTES = [GuardedRoute("POST", "/api/webhooks/{provider}", deliver, Permission(None, webhook=True))]


def create_webhook_app(runtime: Runtime) -> App:
    """Only ``POST /api/webhooks/{provider}``, for a host that mounts it where the world can reach it."""
    app = Starlette(routes=ROUTES, exception_handlers=HANDLERS)
    app.state.runtime = runtime
    return CorrelationMiddleware(app)
