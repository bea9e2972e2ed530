"""The dashboard: one page, its sheet and its modules, as they lie in ``static``; nothing is built or fetched."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import attrs
import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.access.permission import PUBLIC
from actors.api.route import GuardedRoute

STATIC = Path(__file__).with_name("static")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@attrs.frozen
class StaticFile:
    """A file as it is sent. ``tag`` names its content: a client that has it already is answered 304."""

    content: bytes
    media_type: str
    tag: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All files by their path below ``static``. They are few and small, and no path of a request reaches the disk."""
    found = {}
    for path in sorted(STATIC.rglob("*")):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[path.relative_to(STATIC).as_posix()] = StaticFile(content, _TYPES[path.suffix], tag)
    return found


async def page(request: Request) -> Response:
    """The dashboard."""
    await trio.lowlevel.checkpoint()
    return sent(request, "index.html")


async def static(request: Request) -> Response:
    """One of its files. Raises 404 for any other path."""
    await trio.lowlevel.checkpoint()
    return sent(request, request.path_params["path"])


def sent(request: Request, path: str) -> Response:
    """The file at ``path`` below ``static``, as an answer. Raises 404 for any other path."""
    file = static_files().get(path)
    if file is None:
        raise HTTPException(404, "there is no such file")
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


ROUTES = [
    GuardedRoute("GET", "/", page, PUBLIC),
    GuardedRoute("GET", "/static/{path:path}", static, PUBLIC),
]
