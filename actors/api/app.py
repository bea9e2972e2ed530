"""The ASGI application: all routes over one runtime, every answer with the request's correlation ID."""

from __future__ import annotations

import trio
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.api import deciding, jobs, leftovers, metrics, streams
from actors.api.problems import HANDLERS
from actors.control import Runtime
from logconf import get_logger
from logconf.asgi import App, CorrelationMiddleware

_logger = get_logger("actors.api")


def create_app(runtime: Runtime) -> App:
    """The application of ``runtime``.

    ``scope["state"]`` may hold ``peer`` (:class:`~actors.api.asking.Peer`: who asks) and ``ending`` (a ``trio.Event``
    that is set when the server stops).
    """
    routes: list[BaseRoute] = [*jobs.ROUTES, *deciding.ROUTES, *leftovers.ROUTES, *metrics.ROUTES, *streams.ROUTES]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.runtime = runtime
    return CorrelationMiddleware(_Contained(app))


class _Contained:
    """A border: a fault of a route, answered for by then, is logged while its correlation ID is bound."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:  # one request's fault is logged under its ID and ends that request only
            _logger.exception("A request failed", extra={"method": scope.get("method"), "path": scope.get("path")})
        await trio.lowlevel.checkpoint()
