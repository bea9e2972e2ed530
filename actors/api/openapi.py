"""The OpenAPI 3.1 document, generated from the routes and the classes by which they check requests; and its page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import get_args, get_origin, get_type_hints

import attrs
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from actors.access.policy import Permission, permission_for
from actors.api.pages import static_files
from actors.api.parsing import Raw
from actors.api.problems import PROBLEM
from actors.api.request_context import Answer
from actors.api.route import Call, Declaration, DeclaredRoute, Nothing, route
from actors.api.schemas import Schema, Schemas
from actors.documents.common import Document, ProblemDocument
from actors.job_requests.sources import RequestSource
from actors.jobs import maxima

_PART = re.compile(r"\{(\w+)(?::(\w+))?\}")
_TEXT = {"type": "string", "maxLength": maxima.NAME}
_PART_TYPES = {"int": {"type": "integer"}, None: {"minLength": 1, **_TEXT}, "path": {"type": "string"}}
_JSON = "application/json"
_BEARER = "bearer"


def document(routes: Iterable[BaseRoute], source: RequestSource = RequestSource.TCP) -> Schema:
    """All of ``routes``, as requests of ``source`` may use them.

    Those that route nothing are there with what their paths and docstrings say.
    """
    from importlib.metadata import version

    schemas = Schemas(source)
    paths: dict[str, Schema] = {}
    for one in routes:
        if isinstance(one, Route):
            for method in sorted((one.methods or set()) - {"HEAD"}):
                path = _PART.sub(r"{\1}", one.path)
                paths.setdefault(path, {})[method.lower()] = _operation(one, method, schemas)
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


def _operation(route: Route, method: str, schemas: Schemas) -> Schema:
    declaration = route.declaration if isinstance(route, DeclaredRoute) else None
    handle = route.endpoint if declaration is None else declaration.handle
    summary, _, more = inspect.cleandoc(handle.__doc__ or route.name).partition("\n\n")
    need = permission_for(method, route.path)
    operation: Schema = {
        "operationId": f"{handle.__module__.rpartition('.')[2]}.{handle.__name__}",
        "tags": [_tag(route.path)],
        "summary": _line(summary),
        "description": " ".join(part for part in (_line(more), _needed(need)) if part),
        "parameters": [*_in_path(route.path), *_asked(declaration, schemas)],
        "responses": _responses(declaration, schemas),
        "security": [] if need.level is None else [{_BEARER: []}],
    }
    body = None if declaration is None else _body(declaration, schemas)
    return operation if body is None else {**operation, "requestBody": body}


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


def _asked(declaration: Declaration | None, schemas: Schemas) -> Iterator[Schema]:
    if declaration is None:
        return
    hints = get_type_hints(declaration.query)
    for attribute in attrs.fields(declaration.query):
        schema = _given(schemas.field(declaration.query, attribute, hints[attribute.name]))
        required = attribute.default is attrs.NOTHING
        yield {"name": attribute.name, "in": "query", "required": required, "schema": schema}
    for name, meaning in declaration.headers.items():
        yield {"name": name, "in": "header", "description": meaning, "schema": _TEXT}


def _given(schema: Schema) -> Schema:
    """A parameter is absent rather than null."""
    if isinstance(schema.get("type"), list):
        (kind,) = [one for one in schema["type"] if one != "null"]
        return {**schema, "type": kind}
    arms = [arm for arm in schema.get("anyOf", ()) if arm != {"type": "null"}]
    return arms[0] if len(arms) == 1 else schema


def _body(declaration: Declaration, schemas: Schemas) -> Schema | None:
    if declaration.body is Nothing:
        return None
    raw = get_origin(declaration.body) is Raw
    kind = get_args(declaration.body)[0] if raw else declaration.body
    required = raw or any(attribute.default is attrs.NOTHING for attribute in attrs.fields(kind))
    described = f"At most {declaration.body_bytes} bytes and {maxima.VALUES} values"
    if raw:
        described = (
            f"At most {declaration.body_bytes} bytes and {maxima.BATCH_VALUES} values; one job alone at most "
            f"{maxima.BODY} bytes, each job at most {maxima.VALUES} values, and a list at most {maxima.BATCH_JOBS} jobs"
        )
    return {"description": described, "required": required, "content": {_JSON: {"schema": schemas.of(kind)}}}


def _responses(declaration: Declaration | None, schemas: Schemas) -> Schema:
    problem = {"description": "A problem", "content": {PROBLEM: {"schema": schemas.of(ProblemDocument)}}}
    if declaration is None:
        return {"2XX": {"description": "Done"}, "default": problem}
    return {str(status): _answered(status, declaration, schemas) for status in declaration.statuses} | {
        "default": problem
    }


def _answered(status: int, declaration: Declaration, schemas: Schemas) -> Schema:
    described: Schema = {"description": HTTPStatus(status).phrase}
    if declaration.media is not None:
        return {**described, "content": {declaration.media: {"schema": {}}}}
    result = declaration.result
    if result is type(None) or (isinstance(result, type) and issubclass(result, Response)):
        return described
    document = get_args(result)[0] if get_origin(result) is Answer else result
    return {**described, "content": {_JSON: {"schema": schemas.of(document)}}}


async def openapi(call: Call[Nothing, Nothing]) -> Document:
    """The HTTP API as OpenAPI 3.1; a job request is shown with the fields that the caller may set."""
    state, source = call.request.app.state, call.peer.source
    if not hasattr(state, "openapi"):
        state.openapi = {}
    if source not in state.openapi:
        state.openapi[source] = document(call.request.app.routes, source)
    found: Document = state.openapi[source]
    return found


async def reference(call: Call[Nothing, Nothing]) -> Response:
    """The same for people. The page requests the document with its reader's session."""
    page = static_files()["reference.html"]
    return Response(page.content, media_type=page.media_type, headers={"Cache-Control": "no-cache", "ETag": page.tag})


ROUTES = [
    route("GET", "/api/openapi.json", openapi),
    route("GET", "/api/reference", reference, media="text/html"),
]
