"""A request finds the route that it would find among all of them, one after the other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.routing import BaseRoute, Match, Route

from actors.api.app import ROUTES
from actors.api.route_table import RouteTable

TABLE = RouteTable(ROUTES)
PATHS = sorted(
    {
        re.sub(r"\{[^}]*\}", value, route.path)
        for route in ROUTES
        if isinstance(route, Route)
        for value in ("1", "cancel", "a/b", "jobs")
    }
    | {"/", "/api", "/api/", "/api/none", "/api/jobs/", "/none", "/static/js/app.js", "//api/jobs"}
)


def first(scope: dict[str, Any]) -> tuple[Match, BaseRoute | None]:
    """As Starlette looks: the first that matches whole, else the first whose path alone does."""
    found = [(route.matches(scope)[0], route) for route in ROUTES]
    for wanted in (Match.FULL, Match.PARTIAL):
        for match, route in found:
            if match is wanted:
                return match, route
    return Match.NONE, None


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("root", ["", "/mounted"])
def test_every_request_finds_the_same_route(method: str, root: str) -> None:
    for path in PATHS:
        scope = {"type": "http", "method": method, "path": root + path, "root_path": root, "headers": []}
        match, _, route = TABLE.find(scope)
        assert (match, route) == first(scope), path


def test_a_request_is_compared_with_few_routes() -> None:
    scope = {"type": "http", "method": "GET", "path": "/api/jobs/1", "root_path": "", "headers": []}
    asked: list[BaseRoute] = []

    class Counted(Route):
        def matches(self, scope: Any) -> Any:
            asked.append(self)
            return super().matches(scope)

    RouteTable([Counted(route.path, route.endpoint) for route in ROUTES if isinstance(route, Route)]).find(scope)
    assert 0 < len(asked) < len(ROUTES) / 2


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/jobs", "GET, HEAD, POST"),
        ("/api/jobs/1", "DELETE, GET, HEAD"),
        ("/api/jobs/1/cancel", "DELETE, GET, HEAD, POST"),  # a job may be named 1/cancel
        ("/api/prune", "POST"),
        ("/api/none", ""),
    ],
)
@pytest.mark.parametrize("root", ["", "/mounted"])
def test_what_may_be_done_instead_is_of_all_routes_of_the_path(path: str, methods: str, root: str) -> None:
    scope = {"type": "http", "method": "PATCH", "path": root + path, "root_path": root, "headers": []}
    assert TABLE.allowed(scope) == methods
