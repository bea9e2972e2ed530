"""The ASGI application: all routes over one runtime, every answer with the request's correlation ID."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.access.users import SocketUsers
from actors.api import (
    approvals,
    entry_points,
    events,
    health,
    jobs,
    logs,
    metrics,
    notifications,
    openapi,
    pages,
    queue,
    rules,
    selections,
    series,
    session,
    tokens,
    tree,
    webhooks,
)
from actors.api.guard import AccessGuard
from actors.api.options import HttpOptions
from actors.api.problems import HANDLERS
from actors.api.route import ends_with_name
from actors.api.route_table import RouteTable
from actors.control.runtime import Reading, Runtime
from actors.net.client_faults import ClientFaults
from logconf import get_logger
from logconf.asgi import App, CorrelationMiddleware

_logger = get_logger("actors.api")

_ALL: list[BaseRoute] = [
    *jobs.ROUTES, *selections.ROUTES, *logs.ROUTES, *events.ROUTES, *queue.ROUTES, *rules.ROUTES, *approvals.ROUTES,
    *tree.ROUTES, *health.ROUTES, *metrics.ROUTES, *session.ROUTES, *tokens.ROUTES, *webhooks.ROUTES, *openapi.ROUTES,
    *pages.ROUTES, *series.ROUTES, *notifications.ROUTES, *entry_points.ROUTES,
]  # fmt: skip
ROUTES = sorted(_ALL, key=ends_with_name)
"""All routes, each with the permission that its callers need."""


def create_app(
    runtime: Runtime | Reading,
    options: HttpOptions | None = None,
    *,
    feed_port: int | None = None,
    users: SocketUsers | None = None,
) -> App:
    """The application of ``runtime``, behind its guard: every request needs a token or a session (``options``).

    If ``runtime`` is a :class:`Reading`, which has only the rows, other routes are answered 503 with what to start.

    ``scope["state"]``, which only the server can set, may contain ``ending`` (a ``trio.Event`` that is set when the
    server stops) and ``peer``, a :class:`~actors.access.peer.Peer` ``via="socket"``: this is then the caller, with
    every right. ``users``: identifies other users of this machine, for the socket that serves them; None: they are
    refused.
    """
    options = options or HttpOptions()
    table = RouteTable(ROUTES)
    app = Starlette(routes=[table], exception_handlers=HANDLERS)
    app.state.runtime = runtime
    app.state.routes = ROUTES
    app.state.options = options
    guarded = AccessGuard(app, table, runtime, options, feed_port, users)
    return CorrelationMiddleware(_contained(guarded, runtime.client_faults))


def _contained(app: ASGIApp, faults: ClientFaults) -> ASGIApp:
    """A named border for broad ``except``: an error in a route, answered 500, is logged while its correlation ID is
    bound.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - border: one request's fault is logged under its ID and ends that request only
            extra = {"method": scope.get("method"), "path": scope.get("path")}
            faults.record("http", error, _logger, "A request failed", extra)

    return serve
