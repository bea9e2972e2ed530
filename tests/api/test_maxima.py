"""Everything that comes from outside has a maximum (D2): what is above it is refused by name, every way in.

What is tested is taken from the classes themselves: a new field is tested without a line here, and one without a
maximum is a failure.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import httpx
import pytest
import yaml

from actors.access.peer import Peer
from actors.api.app import ROUTES, create_app
from actors.api.openapi import document
from actors.api.route import DeclaredRoute, Nothing
from actors.control.runtime import Runtime
from actors.feed.messages import Authenticate, Malformed, Subscribe, read
from actors.job_requests.job_file import load_job_file
from actors.jobs import maxima
from actors.jobs.maxima import FIELDS
from actors.jobs.maximum import Bytes, Items, Maximum, Pairs, Text, Tree
from actors.jobs.records import ApprovalRule, JobRequest, Resources
from actors.jobs.refusal import Refused
from actors.settings import Settings
from actors.testing import request
from actors.validation import CheckedError
from tests.api.servers import bearer

API = document(ROUTES)
DECLARED = [route for route in ROUTES if isinstance(route, DeclaredRoute)]
BODIES = [route for route in DECLARED if isinstance(body := route.body, type) and body is not Nothing]
QUERIES = [route for route in DECLARED if attrs.fields(route.query)]
_BOUNDED = (int, float, bool, type(None), datetime)


# What there is to test.


def is_open(hint: Any) -> bool:
    """Whether a value of this type may be of any length."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(is_open(arm) for arm in get_args(hint))
    if origin is Literal or hint in _BOUNDED or (isinstance(hint, type) and issubclass(hint, Enum)):
        return False
    return not (isinstance(hint, type) and attrs.has(hint))


def maximum_of(kind: type, attribute: attrs.Attribute[Any]) -> Maximum | None:
    known = FIELDS.get(kind, {}).get(attribute.name)
    validators = getattr(attribute.validator, "_validators", (attribute.validator,))
    return known or next((one for one in validators if isinstance(one, Maximum)), None)


def open_fields(kind: type) -> Iterator[tuple[str, Maximum | None]]:
    """Its texts, lists and objects, each with its maximum."""
    hints = get_type_hints(kind)
    for attribute in attrs.fields(kind):
        if is_open(hints[attribute.name]):
            yield attribute.name, maximum_of(kind, attribute)


def above(maximum: Maximum, first: str = "x") -> Iterator[Any]:
    """Values of every kind that are just above a maximum."""
    match maximum:
        case Text() | Bytes():
            yield first + "x" * maximum.most
        case Tree():
            yield {"x": "y" * maximum.most}
        case Items():
            yield [first] * (maximum.most + 1)
            if maximum.each is not None:
                yield from ([first, one] for one in above(maximum.each))
            if maximum.total is not None:
                yield [first, *["y" * 100_000] * (maximum.total // 100_000 + 1)]
        case Pairs():
            yield {f"N{number}": "1" for number in range(maximum.most + 1)}
            yield from ({one: "1"} for one in above(maximum.name))
            yield from ({"N": one} for one in above(maximum.value))
            yield {f"N{number}": "y" * 100_000 for number in range(maximum.total // 100_000 + 1)}


def cases(kind: type, **first: str) -> list[Any]:
    """Every way in which a field of ``kind`` can be above its maximum."""
    return [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, maximum in open_fields(kind)
        if maximum is not None
        for number, value in enumerate(above(maximum, first.get(name, "x")))
    ]


JOB_CASES = cases(JobRequest, cwd="/", provider="scripted")
RULE_CASES = cases(ApprovalRule, exempt_levels="lead", applies_to_provider="scripted")


@pytest.mark.parametrize(
    "kind",
    dict.fromkeys([  # each once, in the same order in every process of the run
        JobRequest, Resources, ApprovalRule,
        *(route.body for route in BODIES), *(route.query for route in QUERIES),
    ]),
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_every_field_that_can_be_of_any_length_has_a_maximum(kind: type) -> None:
    assert [name for name, maximum in open_fields(kind) if maximum is None] == []


def test_a_new_field_without_a_maximum_would_be_noticed() -> None:
    @attrs.frozen
    class New:
        text: str | None = None
        words: tuple[str, ...] = ()
        pairs: Mapping[str, str] = attrs.field(factory=dict)
        number: float = 0.0
        level: Literal["a"] = "a"
        bounded: str = attrs.field(default="", validator=Text(1))

    import typing

    hints = typing.get_type_hints(New, localns={"Mapping": Mapping, "Literal": Literal})
    unbounded = [
        one.name for one in attrs.fields(New) if is_open(hints[one.name]) and maximum_of(New, one) is None
    ]  # fmt: skip
    assert unbounded == ["text", "words", "pairs"]


# Jobs, every way in.


def body_with(field: str, value: Any) -> dict[str, Any]:
    """A job that is right but for one field."""
    base: dict[str, Any] = {"provider": "scripted", "user_id": "ana"}
    if field == "params":
        base["entry_point"] = "train"
    return {**base, field: value}


def named(answered: httpx.Response) -> str:
    """The fields that an answer names."""
    found = answered.json()
    return " ".join([found.get("field") or "", *(one["field"] for one in found.get("errors", ()))])


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
async def test_a_job_above_a_maximum_is_refused_by_the_embedded_runtime(runtime: Any, field: str, value: Any) -> None:
    with pytest.raises(Refused, match=field) as refused:
        await runtime.submit(attrs.evolve(request(), **{field: tuple(value) if isinstance(value, list) else value}))
    assert refused.value.field == field
    assert "at most" in str(refused.value)
    assert await runtime.jobs.page() == []


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
async def test_a_job_above_a_maximum_is_refused_over_http(edge: Any, web: Any, field: str, value: Any) -> None:
    """Alone and in a list on the Unix socket, and over TCP by an admin."""
    body = body_with(field, value)
    token = await bearer(edge.runtime, "admin")
    alone = await edge.http.post("/api/jobs", json=body)
    listed = await edge.http.post("/api/jobs", json=[body_with("config_name", "fine"), body])
    remote = await web.post("/api/jobs", json=body, headers=token)
    assert (alone.status_code, listed.status_code) == (422, 422)
    assert remote.status_code in (403, 422)  # what TCP does not take at all may be refused first
    assert field in named(alone)
    assert f"1.{field}" in named(listed) or f"[1].{field}" in named(listed)
    assert field in named(remote)
    assert await edge.runtime.jobs.page() == []


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
def test_a_job_above_a_maximum_is_refused_in_a_job_file(tmp_path: Path, field: str, value: Any) -> None:
    """By the words of the file; what a file cannot hold at all is refused as that."""
    words = {
        "config_name": "name", "user_id": "user", "org_id": "org", "team_id": "team", "user_levels": "level",
        "requires_approval": "needs_approval",
    }  # fmt: skip
    job = {words.get(name, name): one for name, one in body_with(field, value).items()}
    path = tmp_path / "jobs.yaml"
    path.write_text(json.dumps({"jobs": [job]}))
    with pytest.raises(CheckedError) as refused:
        load_job_file(path, user="ana", environ={})
    assert any(words.get(field, field) in fault.path for fault in refused.value.faults)


async def test_a_job_is_bounded_as_a_whole(runtime: Any) -> None:
    """Fields that are all below their maxima, and together above what one job may be."""
    large = {"N": "y" * 100_000, "M": "y" * 100_000, "O": "y" * 100_000, "P": "y" * 100_000, "Q": "y" * 100_000}
    half = {"x": "y" * 200_000}
    asked = attrs.evolve(request(), env=large, inherited_env=large, spec=half, params=half)
    with pytest.raises(Refused, match=str(maxima.BODY)):
        await runtime.submit(asked)


async def test_a_request_has_a_maximum_of_jobs(edge: Any) -> None:
    many = [{"provider": "scripted"}] * (maxima.BATCH_JOBS + 1)
    answered = await edge.http.post("/api/jobs", json=many)
    assert (answered.status_code, str(maxima.BATCH_JOBS) in answered.json()["detail"]) == (422, True)
    with pytest.raises(Refused, match=str(maxima.BATCH_JOBS)):
        await edge.runtime.jobs.submit_many([request()] * (maxima.BATCH_JOBS + 1))


def test_a_job_file_and_a_spec_have_a_maximum_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text("# " + "x" * maxima.BATCH + "\njobs: [{command: [a]}]")
    with pytest.raises(CheckedError, match=str(maxima.BATCH)):
        load_job_file(path, user="ana", environ={})


# Approval rules, every way in.


@pytest.mark.parametrize(("field", "value"), RULE_CASES)
async def test_a_rule_above_a_maximum_is_refused_every_way_in(
    edge: Any, tmp_path: Path, field: str, value: Any
) -> None:
    """By the embedded runtime, over HTTP (new, in another's place, on trial), and in the configuration."""
    rule = {"name": "r", "condition": "hardware_type", "value": "a*", field: value}
    embedded = {**rule, field: tuple(value) if isinstance(value, list) else value}
    with pytest.raises(Refused, match=field):
        await edge.runtime.rules.add(ApprovalRule(**embedded))
    for method, path, body in (
        ("POST", "/api/approvals/rules", rule), ("PUT", "/api/approvals/rules/1", rule),
        ("POST", "/api/approvals/rules/dry-run", {"rule": rule}),
    ):  # fmt: skip
        answered = await edge.http.request(method, path, json=body)
        assert (answered.status_code, field in named(answered)) == (422, True), path
    config = tmp_path / "greenroom.yaml"
    config.write_text(yaml.safe_dump({"approvals": {"rules": [rule]}}))
    with pytest.raises(CheckedError) as refused:
        Settings.load(config)
    assert any(field in fault.path for fault in refused.value.faults)
    assert len(await edge.runtime.rules.all()) == 1


async def test_there_is_a_maximum_of_rules(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maxima, "RULES", 2)
    await edge.runtime.rules.add(ApprovalRule("second", "first_job"))
    with pytest.raises(Refused, match="2 approval rules"):
        await edge.runtime.rules.add(ApprovalRule("third", "first_job"))


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
