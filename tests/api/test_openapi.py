"""The OpenAPI document is the application, every route and class of it; and its page stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
from starlette.routing import Route

from actors.api.app import ROUTES
from actors.api.bodies import DecisionRequest, JobsQuery
from actors.api.openapi import document
from actors.api.parsing import Raw
from actors.api.route import DeclaredRoute, Nothing
from actors.api.schemas import Schemas
from actors.job_requests.sources import FIELDS, RequestSource
from actors.jobs.records import JobRequest
from actors.runtime import RunningRuntime
from tests.api.servers import bearer

API = document(ROUTES)
ON_THE_SOCKET = document(ROUTES, RequestSource.SOCKET_OWNER)
DECLARED = [route for route in ROUTES if isinstance(route, DeclaredRoute)]
WITH_BODY = [route for route in DECLARED if isinstance(body := route.body, type) and body is not Nothing]


def operation(route: DeclaredRoute) -> dict[str, Any]:
    (method,) = route.methods - {"HEAD"}
    found: dict[str, Any] = API["paths"][re.sub(r":\w+}", "}", route.path)][method.lower()]
    return found


def walked(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walked(child)


def test_every_route_is_there_under_a_name_of_its_own() -> None:
    operations = [one for methods in API["paths"].values() for one in methods.values()]
    assert len(operations) == sum(len(route.methods - {"HEAD"}) for route in ROUTES if isinstance(route, Route))
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["responses"] for one in operations)


def test_every_reference_leads_somewhere_and_nothing_lies_about_unused() -> None:
    referred = {node["$ref"] for node in walked(API) if "$ref" in node}
    assert referred == {f"#/components/schemas/{name}" for name in API["components"]["schemas"]}


def test_every_parameter_of_a_path_is_described() -> None:
    for path, methods in API["paths"].items():
        for one in methods.values():
            described = {each["name"] for each in one["parameters"] if each["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)}", path)), path


def test_who_may_call_is_said_by_the_table_that_decides() -> None:
    assert API["paths"]["/health/live"]["get"]["security"] == []
    assert API["paths"]["/api/prune"]["post"]["description"].endswith("Needs level admin.")
    assert "their own only" in API["paths"]["/api/jobs/{job_id}"]["get"]["description"]


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.path)
async def test_a_body_is_checked_by_the_class_that_is_shown(edge: Any, route: DeclaredRoute) -> None:
    """Exactly the fields that the document shows: another one is refused by name, a required one is missed by name."""
    schema = API["components"]["schemas"][route.body.__name__]
    assert schema["additionalProperties"] is False
    path = re.sub(r"{[^}]+}", "1", route.path)
    (method,) = route.methods
    refused = await edge.http.request(method, path, json={"unheard_of": 1})
    faults = {fault["field"]: fault["message"] for fault in refused.json()["errors"]}
    assert refused.status_code == 422
    assert faults["unheard_of"].startswith("unknown key")
    assert {name for name, message in faults.items() if message == "is missing"} == set(schema.get("required", ()))


@pytest.mark.parametrize("route", DECLARED, ids=lambda route: f"{min(route.methods)} {route.path}")
async def test_a_query_is_checked_by_the_class_that_is_shown(edge: Any, route: DeclaredRoute) -> None:
    """A parameter that the document does not show is refused."""
    shown = {one["name"] for one in operation(route)["parameters"] if one["in"] == "query"}
    assert shown == {attribute.name for attribute in attrs.fields(route.query)}
    method = min(route.methods)
    refused = await edge.http.request(method, re.sub(r"{[^}]+}", "1", route.path), params={"unheard_of": 1})
    assert (refused.status_code, refused.json()["field"]) == (422, "unheard_of")


def test_bounds_and_defaults_are_those_that_hold() -> None:
    schemas = Schemas()
    for kind in (JobsQuery, DecisionRequest):
        schemas.of(kind)
    limit = schemas.components["JobsQuery"]["properties"]["limit"]
    assert limit == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    ids = schemas.components["DecisionRequest"]["properties"]["approval_ids"]
    assert ids == {"type": "array", "items": {"type": "string", "maxLength": 200}, "minItems": 1, "maxItems": 500}
    with pytest.raises(TypeError, match="no schema"):
        schemas.of(object)


def test_a_submission_is_one_job_or_a_list_of_them() -> None:
    (submit,) = [route for route in DECLARED if route.body == Raw[JobRequest | list[JobRequest]]]
    (content,) = operation(submit)["requestBody"]["content"].values()
    one, many = content["schema"]["anyOf"]
    assert many == {"type": "array", "items": one}


def test_a_job_is_shown_with_the_fields_that_may_be_set_from_there() -> None:
    """D1: what TCP does not allow is not in the document for TCP."""
    every = {field.name for field in attrs.fields(JobRequest)}
    for shown, source in ((API, RequestSource.TCP), (ON_THE_SOCKET, RequestSource.SOCKET_OWNER)):
        properties = shown["components"]["schemas"]["JobRequest"]["properties"]
        beside = {"matrix", "idempotency_keys"}
        assert set(properties) == beside | {name for name in every if source in FIELDS[name].sources}
    over_tcp = API["components"]["schemas"]["JobRequest"]["properties"]
    assert not {"command", "env", "inherited_env"} & set(over_tcp)
    assert over_tcp["team_id"]["description"] == "one of your teams"


async def test_it_is_served_as_it_is(edge: Any, web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """To each as it holds for them."""
    who = await bearer(runtime, "viewer")
    for _ in range(2):
        assert (await edge.http.get("/api/openapi.json")).json() == ON_THE_SOCKET
        assert (await web.get("/api/openapi.json", headers=who)).json() == API


async def test_the_page_needs_nothing_from_elsewhere_and_no_inline_code(edge: Any) -> None:
    """What the policy of contents forbids is not there: no inline script or style, no handler, no foreign address."""
    page = await edge.http.get("/api/reference")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|style=|https?://", page.text)
    for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert (await edge.http.get(path)).status_code == 200
    module = await edge.http.get("/static/js/reference.js")
    assert not re.search(r"innerHTML|eval\(|https?://", module.text)
