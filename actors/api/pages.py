"""The dashboard: one page, its style sheet and its modules, as they are in ``static``; nothing is built or fetched.

A page names its files below ``/static/VERSION/``, where ``VERSION`` is made from the content of all of them; modules
import each other by relative paths. So a browser may keep them for a year: on the next visit it requests only the page,
and after an upgrade all files once. A page that was opened before an upgrade still finds its files; those, and files
that are requested without a version, must be checked by their ``ETag`` each time.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

import attrs
import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.access.permission import FILES, PUBLIC
from actors.api.route import GuardedRoute

STATIC = Path(__file__).with_name("static")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION = 16
_VERSIONED = re.compile(rf"(?P<version>[0-9a-f]{{{_VERSION}}})/(?P<path>.*)")
_CHECKED = "no-cache"
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@attrs.frozen
class StaticFile:
    """A file as it is sent. ``tag`` identifies its content: a client that has it already gets 304."""

    content: bytes
    media_type: str
    tag: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All files by their path below ``static``. They are few and small, and no request path reaches the disk."""
    found = {path: _read(path) for path in _paths()}
    before, after = b'"/static/', f'"/static/{version()}/'.encode()
    return {
        path: _file(path, content.replace(before, after) if path.endswith(".html") else content)
        for path, content in found.items()
    }


@cache
def version() -> str:
    """The version of all files together: it changes when one of them does."""
    return hashlib.sha256(repr([(path, _read(path)) for path in _paths()]).encode()).hexdigest()[:_VERSION]


def _paths() -> list[str]:
    return sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.suffix in _TYPES)


def _read(path: str) -> bytes:
    return (STATIC / path).read_bytes()


def _file(path: str, content: bytes) -> StaticFile:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return StaticFile(content, _TYPES[path[path.rindex(".") :]], tag)


async def page(request: Request) -> Response:
    """Send the dashboard."""
    await trio.lowlevel.checkpoint()
    return sent(request, "index.html")


async def static(request: Request) -> Response:
    """Send one of the dashboard's files. Raises 404 for any other path."""
    await trio.lowlevel.checkpoint()
    named = _VERSIONED.fullmatch(request.path_params["path"])
    if named is None:
        return sent(request, request.path_params["path"])
    return sent(request, named["path"], _FOR_A_YEAR if named["version"] == version() else _CHECKED)


def sent(request: Request, path: str, caching: str = _CHECKED) -> Response:
    """The file at ``path`` below ``static``, as an answer. Raises 404 for any other path."""
    file = static_files().get(path)
    if file is None:
        raise HTTPException(404, "there is no such file")
    headers = {"ETag": file.tag, "Cache-Control": caching, "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


ROUTES = [
    GuardedRoute("GET", "/", page, PUBLIC),
    GuardedRoute("GET", "/static/{path:path}", static, FILES),
]
