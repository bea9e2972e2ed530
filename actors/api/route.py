"""Routes with declared bodies, queries and answers: requests are checked by the same classes that OpenAPI shows.

    async def approve(call: Call[Nothing, Nothing]) -> ApprovalDocument:
        \"\"\"Grant a request.\"\"\"

    ROUTES = [route("POST", "/api/approvals/{approval_id}/approve", approve, LEAD)]

The body and the query are read as the handler's annotation says, the answer's type is its result's, the first line of
its docstring is the summary.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import attrs
import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from actors.access.peer import Peer
from actors.access.permission import ADMIN, Permission
from actors.api.answers import answer
from actors.api.bodies import Nothing
from actors.api.naming import NEWEST, replace_names
from actors.api.parsing import body_as, check_path, query_as
from actors.control.runtime import NOT_RUNNING, Reading, Runtime
from actors.jobs import maxima
from actors.jobs.refusal import RefusalKind, Refused

_NAMED_PART = "{job_id}"
B = TypeVar("B")
Q = TypeVar("Q")

Handler = Callable[[Any], Awaitable[Any]]
"""Returns the document of the answer, None if the answer has none, or a complete response."""


@attrs.frozen
class Call(Generic[B, Q]):
    """A request whose ``body`` and ``query`` were parsed."""

    request: Request
    body: B
    query: Q

    @property
    def reading(self) -> Runtime | Reading:
        """For requests that only read: the runtime or, without a supervisor, the rows alone."""
        found: Runtime | Reading = self.request.app.state.runtime
        return found

    @property
    def runtime(self) -> Runtime:
        """The runtime, for all other requests. Raises :class:`Refused` if no supervisor runs."""
        if isinstance(found := self.reading, Reading):
            raise Refused(NOT_RUNNING, RefusalKind.UNAVAILABLE)
        return found

    @property
    def peer(self) -> Peer:
        """The caller. Raises ``HTTPException`` 401 without one; the guard lets no such request through."""
        peer = self._state.get("peer")
        if not isinstance(peer, Peer):
            raise HTTPException(401, "a token or a session is needed")
        return peer

    @property
    def by(self) -> str:
        """The caller's name, which is recorded with a change."""
        return self.peer.name

    @property
    def ending(self) -> trio.Event:
        """Set when the server stops: a stream then sends its last event, ``goodbye``."""
        ending = self._state.get("ending")
        return ending if isinstance(ending, trio.Event) else trio.Event()

    @property
    def _state(self) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self.request.scope.get("state", {})
        return state

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def visible_user(self, named: str | None) -> str | None:
        """The user whose jobs to show; None: all jobs. ``named``: the user in the request; None: none was named.

        Callers who may see only their own jobs get those. Raises :class:`Refused` if they name another user.
        """
        own = self.peer.only_user
        if own is not None and named not in (None, own):
            raise Refused("user_id: the jobs of another user need level lead", RefusalKind.FORBIDDEN, "user_id")
        return named if own is None else own


class GuardedRoute(Route):
    """A route of one method with the ``permission`` that its callers need."""

    def __init__(self, method: str, path: str, endpoint: Callable[..., Any], permission: Permission) -> None:
        # A name may hold a slash; where that arrives decoded, routes that end with a name are tried last (app.py).
        super().__init__(path.replace(_NAMED_PART, "{job_id:path}"), endpoint, methods=[method])
        self.path = path
        self.permission = permission


class DeclaredRoute(GuardedRoute):
    """The route of ``handler``, whose annotations declare ``body``, ``query`` and ``result``.

    ``status``: the possible statuses; a document that ``handler`` returns is sent with the first one. ``media``: the
    type of an answer that is not JSON. ``headers``: those that it reads, each with its meaning. ``body_bytes``: the
    most bytes of a body; no more is read.
    """

    def __init__(
        self,
        method: str,
        path: str,
        handler: Handler,
        permission: Permission,
        *,
        status: int | Sequence[int] = 200,
        media: str | None = None,
        headers: Mapping[str, str] | None = None,
        body_bytes: int = maxima.BODY,
    ) -> None:
        super().__init__(method, path, self._answer, permission)
        hints = get_type_hints(handler)
        self.handler, self.name, self.result = handler, handler.__name__, hints["return"]
        self.body, self.query = get_args(hints["call"])
        self.statuses = (int(status),) if isinstance(status, int) else tuple(map(int, status))
        self.media, self.headers, self.body_bytes = media, headers or {}, body_bytes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is the route of a request. A slash that the client wrote as %2F belongs to a name."""
        raw: bytes = scope.get("raw_path") or b""
        separators = self.path.count("/") + scope.get("root_path", "").count("/")
        if b"%2F" in raw.upper() and raw.count(b"/") != separators:
            return Match.NONE, {}
        return super().matches(scope)

    async def _answer(self, request: Request) -> Response:
        check_path(request)
        query = query_as(request, self.query)
        body = await body_as(request, self.body, self.body_bytes)
        newest = await replace_names(request, request.app.state.runtime)
        given = await self.handler(Call(request, body, query))
        if not isinstance(given, Response):
            given = Response(status_code=self.statuses[0]) if given is None else answer(given, self.statuses[0])
        if newest is not None:
            given.headers[NEWEST] = newest
        return given


route = DeclaredRoute
"""The name of :class:`DeclaredRoute` in the lists of routes."""


def ends_with_name(one: BaseRoute) -> bool:
    """Whether the path ends with the name of a job: such a route also matches longer paths."""
    return getattr(one, "path", "").endswith(_NAMED_PART)


def permission_of(one: BaseRoute) -> Permission:
    """The permission that a route requires; a route without one needs level admin."""
    found: Permission = getattr(one, "permission", ADMIN)
    return found


__all__ = ["Call", "DeclaredRoute", "GuardedRoute", "Nothing", "ends_with_name", "permission_of", "route"]
