"""Routes by the beginning of their paths, so that a request is compared with a few routes and not with all."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

FOUND = "greenroom.found"
"""The key in a request's scope for what :meth:`RouteTable.find` has found, so that it is looked for once."""
_CHOSEN = "greenroom.route"


class RouteTable(BaseRoute):
    """All of ``routes`` as one, in their order. The first two parts of a path, such as ``/api/jobs``, say which can
    match.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(routes)
        own = [_beginning(_path(route)) for route in routes]
        self._by_beginning = {
            one: [route for route, its in zip(routes, own, strict=True) if its == one or "{" in its]
            for one in set(own)
            if "{" not in one
        }

    def find(self, scope: Scope) -> tuple[Match, Scope, BaseRoute | None]:
        """How well the request matches, what its route adds to ``scope``, and the route."""
        best: tuple[Match, Scope, BaseRoute | None] = (Match.NONE, {}, None)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for route in self._by_beginning.get(_beginning(path), self._routes):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, child, route
            if match is Match.PARTIAL and best[0] is Match.NONE:
                best = (match, child, route)
        return best

    def allowed(self, scope: Scope) -> str:
        """The methods of this path, all its routes together, as the header ``Allow`` has them."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        routes = self._by_beginning.get(_beginning(path), self._routes)
        there = [one for one in routes if isinstance(one, Route) and one.matches(scope)[0] is not Match.NONE]
        return ", ".join(sorted({method for route in there for method in route.methods or ()}))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette asks each route."""
        match, child, route = scope[FOUND] if FOUND in scope else self.find(scope)
        return match, {**child, _CHOSEN: route if match is not Match.PARTIAL else None}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that matched answer. Raises ``HTTPException`` 405 where none of this path has the method."""
        if (route := scope[_CHOSEN]) is None:
            raise HTTPException(405, headers={"Allow": self.allowed(scope)})
        await route.handle(scope, receive, send)


def _path(route: BaseRoute) -> str:
    return route.path if isinstance(route, Route) else "/{any}"


def _beginning(path: str) -> str:
    """The first two parts of a path; of a route they may hold a parameter."""
    return "/".join(path.split("/", 3)[:3])
