"""The OpenAPI 3.1 document, generated from the routes and the classes by which they check requests; and its page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import get_args, get_origin, get_type_hints

import attrs
import trio
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from actors.access.permission import PUBLIC, VIEWER, Permission
from actors.api.answers import Answer
from actors.api.pages import sent
from actors.api.parsing import Raw
from actors.api.problems import PROBLEM
from actors.api.route import Call, DeclaredRoute, Nothing, permission_of, route
from actors.api.schemas import Schema, Schemas
from actors.documents.common import Document, ProblemDocument
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima

_PART = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TEXT = {"type": "string", "maxLength": maxima.NAME}
_PART_TYPES = {"int": {"type": "integer"}, None: {"minLength": 1, **_TEXT}, "path": {"type": "string"}}
_JSON = "application/json"
_BEARER = "bearer"


def document(
    routes: Iterable[BaseRoute], source: RequestSource = RequestSource.TCP, *, commands: bool = False
) -> Schema:
    """The document of all ``routes``, as requests of ``source`` may use them. ``commands``: it may also submit commands
    (F2).

    Routes that declare nothing are described by their paths and docstrings.
    """
    schemas = Schemas(source, commands=commands)
    paths: dict[str, Schema] = {}
    for one in routes:
        if isinstance(one, Route):
            (method,) = (one.methods or set()) - {"HEAD"}
            paths.setdefault(_PART.sub(r"{\1}", one.path), {})[method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": version("greenroom"),
            "description": "A supervised actor runtime for training jobs: its HTTP API.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: Schemas) -> Schema:
    declared = route if isinstance(route, DeclaredRoute) else None
    handler = route.endpoint if declared is None else declared.handler
    summary, _, more = inspect.cleandoc(handler.__doc__ or route.name).partition("\n\n")
    need = permission_of(route)
    problem = {"description": "A problem", "content": {PROBLEM: {"schema": schemas.of(ProblemDocument)}}}
    operation: Schema = {
        "operationId": f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}",
        "tags": [_tag(route.path)],
        "summary": _line(summary),
        "description": " ".join(part for part in (_line(more), _needed(need)) if part),
        "parameters": list(_in_path(route.path)),
        "responses": {"2XX": {"description": "Done"}, "default": problem},
        "security": [] if need.level is None else [{_BEARER: []}],
    }
    if declared is not None:
        operation["parameters"] += _asked(declared, schemas)
        answers = {str(status): _answered(status, declared, schemas) for status in declared.statuses}
        operation["responses"] = {**answers, "default": problem}
        if declared.body is not Nothing:
            operation["requestBody"] = _body(declared, schemas)
    return operation


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return (parts[1] if parts[0] == "api" and len(parts) > 1 else parts[0]) or "dashboard"


def _needed(need: Permission) -> str:
    if need.level is None:
        return "Open to all."
    own = " Below level lead callers see and change their own only." if need.own else ""
    return f"Needs level {need.level}.{own}"


def _in_path(path: str) -> Iterator[Schema]:
    for name, kind in _PART.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": _PART_TYPES[kind or None]}


def _asked(route: DeclaredRoute, schemas: Schemas) -> Iterator[Schema]:
    hints = get_type_hints(route.query)
    for attribute in attrs.fields(route.query):
        schema = _given(schemas.field(route.query, attribute, hints[attribute.name]))
        required = attribute.default is attrs.NOTHING
        yield {"name": attribute.name, "in": "query", "required": required, "schema": schema}
    for name, meaning in route.headers.items():
        yield {"name": name, "in": "header", "description": meaning, "schema": _TEXT}


def _given(schema: Schema) -> Schema:
    """The schema of a parameter, which is absent rather than null."""
    if isinstance(schema.get("type"), list):
        (kind,) = [one for one in schema["type"] if one != "null"]
        return {**schema, "type": kind}
    arms = [arm for arm in schema.get("anyOf", ()) if arm != {"type": "null"}]
    return arms[0] if len(arms) == 1 else schema


def _body(route: DeclaredRoute, schemas: Schemas) -> Schema:
    raw = get_origin(route.body) is Raw
    kind = get_args(route.body)[0] if raw else route.body
    required = raw or any(attribute.default is attrs.NOTHING for attribute in attrs.fields(kind))
    described = f"At most {route.body_bytes} bytes and {maxima.VALUES} values"
    if raw:
        described = (
            f"At most {route.body_bytes} bytes and {maxima.BATCH_VALUES} values; one job alone at most "
            f"{maxima.BODY} bytes, each job at most {maxima.VALUES} values, and a list at most {maxima.BATCH_JOBS} jobs"
        )
    return {"description": described, "required": required, "content": {_JSON: {"schema": schemas.of(kind)}}}


def _answered(status: int, route: DeclaredRoute, schemas: Schemas) -> Schema:
    described: Schema = {"description": HTTPStatus(status).phrase}
    if route.media is not None:
        return {**described, "content": {route.media: {"schema": {}}}}
    result = route.result
    if result is type(None) or (isinstance(result, type) and issubclass(result, Response)):
        return described
    document = get_args(result)[0] if get_origin(result) is Answer else result
    return {**described, "content": {_JSON: {"schema": schemas.of_answer(document)}}}


async def openapi(call: Call[Nothing, Nothing]) -> Document:
    """Show the HTTP API as OpenAPI 3.1; a job request has the fields that the caller may set."""
    state, caller = call.request.app.state, (call.peer.source, call.peer.commands)
    if not hasattr(state, "openapi"):
        state.openapi = {}
    if caller not in state.openapi:
        state.openapi[caller] = document(state.routes, call.peer.source, commands=call.peer.commands)
    found: Document = state.openapi[caller]
    return found


async def reference(call: Call[Nothing, Nothing]) -> Response:
    """Show the OpenAPI document for people. The page requests the document with its reader's session."""
    await trio.lowlevel.checkpoint()
    return sent(call.request, "reference.html")


ROUTES = [
    route("GET", "/api/openapi.json", openapi, VIEWER),
    route("GET", "/api/reference", reference, PUBLIC, media="text/html"),
]
