"""Who asks, of which runtime; small JSON bodies field by field; answers."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.api.documents import encoded
from actors.api.peers import Peer
from actors.api.reading import parsed
from actors.api.receiving import content_of
from actors.control import RefusalKind, Refused, Runtime
from actors.jobs.guessing import did_you_mean

T = TypeVar("T")


def runtime_of(request: Request) -> Runtime:
    """The runtime behind this application."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def peer_of(request: Request) -> Peer | None:
    """Who asks, where the connection tells."""
    peer = request.scope.get("state", {}).get("peer")
    return peer if isinstance(peer, Peer) else None


def asker(request: Request) -> Peer:
    """Who asks. Raises ``HTTPException`` 401 where nobody is known: the guard lets through no such request."""
    peer = peer_of(request)
    if peer is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "a token or a session is needed")
    return peer


def user_shown(request: Request, asked: str | None) -> str | None:
    """Whose jobs to show where ``asked`` (None: everybody) are asked for: who sees only their own gets those, or a
    refusal where they name somebody else."""
    own = asker(request).only_user
    if own is not None and asked not in (None, own):
        raise Refused("user_id: another than your own takes a lead", RefusalKind.FORBIDDEN, "user_id")
    return asked if own is None else own


def by(request: Request) -> str:
    """The name under which a change is kept."""
    peer = peer_of(request)
    return "unknown" if peer is None else peer.name


def ending_of(request: Request) -> trio.Event:
    """Set when the server stops: a stream says goodbye then."""
    ending = request.scope.get("state", {}).get("ending")
    return ending if isinstance(ending, trio.Event) else trio.Event()


class Answer(Response, Generic[T]):
    """A JSON answer whose document is a ``T``."""


def answer(document: T, status: int = HTTPStatus.OK) -> Answer[T]:
    """``document`` as an answer."""
    return Answer(encoded(document), status_code=int(status), media_type="application/json")


async def fields_of(request: Request, known: Iterable[str]) -> dict[str, Any]:
    """A small JSON object that has no other fields than ``known``; an absent body is an empty one."""
    known = tuple(known)
    content = await content_of(request)
    found = parsed(content) if content else {}
    if not isinstance(found, dict):
        raise Refused("the body must be a JSON object", RefusalKind.INVALID)
    for name in found:
        if name not in known:
            raise Refused(f"unknown field {name!r:.80}{did_you_mean(name[:80], known)}", RefusalKind.INVALID, name)
    return found


def field(found: dict[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """One field of the given JSON type; ``default`` where it is absent, a refusal where there is none."""
    value = found.get(name, default)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {str: "a text", int: "a whole number", dict: "an object", bool: "true or false"}
        raise Refused(f"{name}: must be {words.get(kind, kind.__name__)}", RefusalKind.INVALID, name)
    return value
