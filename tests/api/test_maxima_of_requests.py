"""Bodies, queries, parts of a path, messages and tokens have maxima (D2), which the OpenAPI document states."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.route import DeclaredRoute
from actors.control.runtime import Runtime
from actors.feed.messages import Authenticate, Malformed, Subscribe, read
from actors.jobs import maxima
from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import Refused
from tests.api.maxima_cases import API, BODIES, DECLARED, QUERIES, above, is_open, named, open_fields
from tests.api.servers import bearer

# Every other body, query, part of a path and message.


def other_cases(routes: list[DeclaredRoute], part: str) -> list[Any]:
    return [
        pytest.param(route, name, value, id=f"{min(route.methods)} {route.path} {name}-{number}")
        for route in routes
        for name, maximum in open_fields(getattr(route, part))
        if maximum is not None
        for number, value in enumerate(above(maximum))
        if not (isinstance(value, list) and len(value) < 10 and part == "query" and name == "status")
    ]


@pytest.mark.parametrize(("route", "field", "value"), other_cases(BODIES, "body"))
async def test_a_body_above_a_maximum_is_refused(edge: Any, route: DeclaredRoute, field: str, value: Any) -> None:
    answered = await edge.http.request(
        min(route.methods), re.sub(r"{[^}]+}", "1", route.path), json={field: value}
    )  # fmt: skip
    assert (answered.status_code, field in named(answered)) == (422, True)


@pytest.mark.parametrize(("route", "field", "value"), other_cases(QUERIES, "query"))
async def test_a_query_above_a_maximum_is_refused(edge: Any, route: DeclaredRoute, field: str, value: Any) -> None:
    value = ["pending"] * len(value) if field == "status" else value
    answered = await edge.http.request(
        min(route.methods - {"HEAD"}), re.sub(r"{[^}]+}", "1", route.path), params={field: value}
    )
    assert (answered.status_code, field in named(answered)) == (422, True)


PARTS = [route for route in DECLARED if re.search(r"{\w+}", route.path)]


@pytest.mark.parametrize("part", ["x" * 201, "%00", "a%00", "%0a", "%1b", "%7f", "%25", "_", "%", "*", "%E2%80%AE"])
@pytest.mark.parametrize("route", PARTS, ids=lambda route: f"{min(route.methods - {'HEAD'})} {route.path}")
async def test_a_part_of_a_path_that_can_name_nothing_is_not_found(edge: Any, route: DeclaredRoute, part: str) -> None:
    """Control characters, more than a name has, and what databases take for a pattern: nothing is found, or changed."""
    made = await edge.submit(config_name="dear")
    body = {"value": 1} if route.path.endswith("{name}") and "PUT" in route.methods else None
    path = re.sub(r"{\w+:int}", "1", route.path)
    path = re.sub(r"{\w+}", lambda _: part, path)
    if route.body.__name__ == "SettleRequest":
        body = {"verdict": "not_run"}
    elif route.body.__name__ == "PriorityRequest":
        body = {"priority_override": 1}
    answered = await edge.http.request(min(route.methods - {"HEAD"}), path, json=body)
    assert answered.status_code in (404, 422), answered.text
    kept = await edge.runtime.jobs.get(str(made["job_id"]))
    assert (kept.job.status.value, kept.approval.status.value) == ("pending", "pending")


@pytest.mark.parametrize("part", ["\0", "a\0", "%", "_", "", "x" * 300, "\n"])
async def test_nothing_fits_such_an_id_in_the_embedded_runtime_either(edge: Any, part: str) -> None:
    """Nor the token that a revocation names."""
    await edge.submit(config_name="dear")
    await bearer(edge.runtime, "viewer")
    runtime = edge.runtime
    for asked in (
        runtime.jobs.get(part), runtime.cancel(part), runtime.approvals.get(part), runtime.approvals.withdraw(part),
        runtime.access.revoke(part),
    ):  # fmt: skip
        with pytest.raises(Refused):
            await asked
    assert [token.revoked_at for token in await runtime.access.tokens_page(limit=100)] == [None]


@pytest.mark.parametrize("kind", [Authenticate, Subscribe])
def test_a_message_of_the_feed_above_a_maximum_is_refused(kind: type) -> None:
    type_ = kind.__name__.lower()
    for name, hint in get_type_hints(kind).items():
        if is_open(hint):
            long = "x" * (maxima.NAME + 1)
            for value in ([long], ["x"] * (maxima.CHOICES + 1)) if "tuple" in str(hint) else (long,):
                with pytest.raises(Malformed, match=name):
                    read(json.dumps({"type": type_, name: value}))


@pytest.mark.parametrize("field", ["user_id", "org_id", "name"])
async def test_a_token_above_a_maximum_is_refused(runtime: Any, field: str) -> None:
    with pytest.raises(Refused, match=f"{field}.*{maxima.NAME}"):
        await runtime.access.create_token(**{"user_id": "ana", "level": "viewer", field: "x" * 201})


CHANGES = [
    name for name, method in inspect.getmembers(Runtime, inspect.isfunction)
    if {"by", "reason", "handle"} & set(inspect.signature(method).parameters)
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_what_a_person_says_with_a_change_is_bounded_in_the_embedded_runtime(edge: Any, change: str) -> None:
    """Who it is, why, and a handle: each beyond its maximum, with arguments that are right for the rest."""
    made = await edge.submit(config_name="dear")
    arguments = {
        "job_id": made["job_id"], "approval_id": made["job_id"], "verdict": "failed", "by": "ana", "reason": "why",
        "rule": ApprovalRule("second", "first_job", rule_id=1), "rule_id": 1, "name": "total", "value": 1,
        "provider": "scripted", "override": 1,
    }  # fmt: skip
    parameters = inspect.signature(getattr(Runtime, change)).parameters
    for name in {"by", "reason", "handle"} & set(parameters):
        given = {one: arguments[one] for one in parameters if one in arguments}
        long = {"x": "y" * maxima.SPEC} if name == "handle" else "x" * (maxima.REASON + 1)
        with pytest.raises(Refused) as refused:
            await getattr(edge.runtime, change)(**{**given, name: long})
        if change != "retry":  # who retries is told to nobody
            assert refused.value.field == name


# Bodies.


async def posted(edge: Any, method: str, path: str, content: bytes) -> tuple[int, Any]:
    """Status and document that answer a body; httpx would leave the part of it that is not read lying about."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http",
        "server": ("greenroom", 80), "client": None, "asgi": {"version": "3.0"}, "state": {"peer": Peer(1000, "ana")},
    }  # fmt: skip
    await create_app(edge.runtime)(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("route", BODIES, ids=lambda route: f"{min(route.methods)} {route.path}")
async def test_every_body_has_a_maximum(edge: Any, route: DeclaredRoute) -> None:
    """More than it is not read."""
    path = re.sub(r"{[^}]+}", "1", route.path)
    content = b'"' + b"x" * route.body_bytes + b'"'
    status, told_ = await posted(edge, min(route.methods), path, content)
    assert (status, str(route.body_bytes) in told_["detail"]) == (413, True)
    assert route.body_bytes <= maxima.BODY


async def test_a_list_of_jobs_may_be_larger_than_one_job(edge: Any) -> None:
    """Up to the maximum of a batch; the body of one job alone may not."""
    padded = json.dumps({"provider": "scripted"}).encode() + b" " * maxima.BODY
    assert (await posted(edge, "POST", "/api/jobs", padded))[0] == 413
    assert (await posted(edge, "POST", "/api/jobs", b"[" + padded + b"]"))[0] == 201
    assert (await posted(edge, "POST", "/api/jobs", b"[" + b" " * maxima.BATCH + b"]"))[0] == 413


# What is told.


def told(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema that a request's schema refers to or holds."""
    if isinstance(schema, dict):
        yield schema
        if "$ref" in schema:
            yield from told(API["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        for child in schema.values():
            yield from told(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from told(child)


def has_type(schema: dict[str, Any], name: str) -> bool:
    return name in ([schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", ()))


@pytest.mark.parametrize("route", DECLARED, ids=lambda route: f"{min(route.methods - {'HEAD'})} {route.path}")
def test_openapi_states_every_maximum(route: DeclaredRoute) -> None:
    """Of every text and every list that a request may hold, and of its body."""
    operation = API["paths"][re.sub(r":\w+}", "}", route.path)][min(route.methods - {"HEAD"}).lower()]
    body = operation.get("requestBody")
    if body is not None:
        assert str(route.body_bytes) in body["description"]
    asked = [one["schema"] for one in operation["parameters"]]
    asked += [] if body is None else [body["content"]["application/json"]["schema"]]
    for schema in [found for one in asked for found in told(one)]:
        if has_type(schema, "string"):
            assert {"enum", "format", "maxLength"} & set(schema), schema
        if has_type(schema, "array"):
            assert "maxItems" in schema or "JobRequest" in str(schema["items"]), schema
        if has_type(schema, "object") and schema.get("additionalProperties") is not False:
            assert {"maxProperties", "description"} & set(schema) or schema["additionalProperties"] == {}, schema
