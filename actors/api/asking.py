"""What a request asks for, read strictly: bounded JSON bodies, known fields and parameters, who is asking."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
import trio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from actors.api.documents import encoded
from actors.api.peers import Peer
from actors.control import RefusalKind, Refused, Runtime
from actors.jobs.guessing import did_you_mean

MAX_BODY = 8 << 20
"""Bytes of a body: some 10,000 jobs in one request."""
BODY_SECONDS = 30.0
"""How long a client may take over its body; a half-sent request holds nothing for longer."""

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


def answer(document: Any, status: int = HTTPStatus.OK) -> Response:
    """``document`` as a JSON answer."""
    return Response(encoded(document), status_code=int(status), media_type="application/json")


async def body_of(request: Request) -> Any:
    """The request's JSON body. A status 4xx where there is none, where it is too long, too slow or no JSON."""
    content = bytearray()
    try:
        with trio.fail_after(BODY_SECONDS):
            async with aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    content += chunk
                    if len(content) > MAX_BODY:
                        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY} bytes")
    except trio.TooSlowError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"the body took longer than {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the body ended early") from None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None


async def fields_of(request: Request, known: Iterable[str]) -> dict[str, Any]:
    """A small JSON object that has no other fields than ``known``; an absent body is an empty one."""
    known = tuple(known)
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        await trio.lowlevel.checkpoint()
        return {}
    found = await body_of(request)
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


def query_of(request: Request, known: Iterable[str]) -> dict[str, list[str]]:
    """The query's parameters, none but ``known``."""
    known = tuple(known)
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            guess = did_you_mean(name[:80], known)
            raise Refused(f"unknown parameter {name!r:.80}{guess}", RefusalKind.INVALID, name)
        found.setdefault(name, []).append(value)
    return found


def one(query: dict[str, list[str]], name: str) -> str | None:
    """The last value of a parameter."""
    return query[name][-1] if name in query else None


def number(query: dict[str, list[str]], name: str, default: int, most: int) -> int:
    """A parameter that is a whole number from 0 to ``most``."""
    text = one(query, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) <= most):
        message = f"{name}: must be a whole number from 0 to {most}, not {text!r:.80}"
        raise Refused(message, RefusalKind.INVALID, name)
    return int(text)


def truth(query: dict[str, list[str]], name: str) -> bool:
    """A parameter that is ``true`` or ``false``; absent is false."""
    text = one(query, name)
    if text not in (None, "true", "false", "1", "0"):
        raise Refused(f"{name}: must be true or false, not {text!r:.80}", RefusalKind.INVALID, name)
    return text in ("true", "1")
