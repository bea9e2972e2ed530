"""Routes with declared bodies, queries and answers: requests are checked by the same classes that OpenAPI shows.

    async def approve(call: Call[Nothing, Nothing]) -> ApprovalDocument:
        \"\"\"Grant a request.\"\"\"

    ROUTES = [route("POST", "/api/approvals/{approval_id}/approve", approve)]

The body and the query are read as the handler's annotation says, the answer's type is its result's, the first line of
its docstring is the summary.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.access.peer import Peer
from actors.api.bodies import Nothing
from actors.api.parsing import body_as, check_path, query_as
from actors.api.request_context import answer, caller, reading_of, runtime_of
from actors.control.runtime import Reading, Runtime
from actors.jobs import maxima

B = TypeVar("B")
Q = TypeVar("Q")

Handler = Callable[[Any], Awaitable[Any]]
"""Gives the document of the answer, None where the answer has none, or a whole response."""


@attrs.frozen
class Call(Generic[B, Q]):
    """A request whose ``body`` and ``query`` are read."""

    request: Request
    body: B
    query: Q

    @property
    def reading(self) -> Runtime | Reading:
        """The runtime, or without a supervisor the rows alone, for a request that only reads."""
        return reading_of(self.request)

    @property
    def runtime(self) -> Runtime:
        """The runtime, for any other request. Raises :class:`Refused` where no supervisor runs."""
        return runtime_of(self.request)

    @property
    def peer(self) -> Peer:
        """The caller."""
        return caller(self.request)

    @property
    def by(self) -> str:
        """The caller's name, which is recorded with a change."""
        return self.peer.name

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])


@attrs.frozen
class Declaration:
    """What a route takes and gives.

    ``result``: the handler's return annotation. ``media``: of an answer that is no JSON. ``headers``: those that it
    reads, each with its meaning. ``body_bytes``: what its body may have.
    """

    handle: Handler
    body: Any
    query: Any
    result: Any
    statuses: tuple[int, ...]
    media: str | None
    headers: Mapping[str, str]
    body_bytes: int


class DeclaredRoute(Route):
    """A route with its ``declaration``."""

    def __init__(self, method: str, path: str, declaration: Declaration) -> None:
        async def endpoint(request: Request) -> Response:
            check_path(request)
            query = query_as(request, declaration.query)
            body = await body_as(request, declaration.body, declaration.body_bytes)
            given = await declaration.handle(Call(request, body, query))
            if isinstance(given, Response):
                return given
            status = declaration.statuses[0]
            return Response(status_code=status) if given is None else answer(given, status)

        super().__init__(path, endpoint, methods=[method], name=declaration.handle.__name__)
        self.declaration = declaration


def route(
    method: str,
    path: str,
    handle: Handler,
    *,
    status: int | Sequence[int] = HTTPStatus.OK,
    media: str | None = None,
    headers: Mapping[str, str] | None = None,
    body_bytes: int = maxima.BODY,
) -> DeclaredRoute:
    """The route of ``handle``, which answers with one of ``status`` or with a problem.

    A document that ``handle`` returns is sent with the first of them.
    ``body_bytes``: what a body may have at most; no more of it is read.
    """
    hints = get_type_hints(handle)
    body, query = get_args(hints["call"])
    statuses = (int(status),) if isinstance(status, int) else tuple(map(int, status))
    declaration = Declaration(handle, body, query, hints["return"], statuses, media, headers or {}, body_bytes)
    return DeclaredRoute(method, path, declaration)


__all__ = ["Call", "Declaration", "DeclaredRoute", "Nothing", "route"]
