"""Signing in and out: a code or a token becomes a cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.access.access import CODE_LIFETIME
from actors.access.peer import Peer
from actors.api.access import cookie_name
from actors.api.asking import answer, field, fields_of, peer_of, runtime_of
from actors.api.documents import moment
from actors.api.options import HttpOptions
from actors.api.problems import problem
from actors.control import RefusalKind, Refused


async def sign_in(request: Request) -> Response:
    """Exchange ``code``, which is good once, or ``token`` for a session: 201 and a cookie, or 401."""
    given = await fields_of(request, ("code", "token"))
    if len(given) != 1:
        raise Refused("give one of code and token", RefusalKind.INVALID)
    access, options = runtime_of(request).access, _options(request)
    lifetime = timedelta(hours=options.session_hours)
    if "code" in given:
        session = await access.sign_in_with_code(field(given, "code", str), lifetime)
    else:
        session = await access.sign_in_with_token(field(given, "token", str), lifetime)
    if session is None:
        why = "this code was used or is too old: greenroom open makes another" if "code" in given else "unknown token"
        return problem(HTTPStatus.UNAUTHORIZED, why, headers={"WWW-Authenticate": "Bearer"})
    answered = answer(_document(session.peer), HTTPStatus.CREATED)
    answered.set_cookie(
        cookie_name(request), session.secret, expires=session.expires_at, path="/", httponly=True, samesite="strict",
        secure=_is_encrypted(request, options),
    )  # fmt: skip
    return answered


async def who(request: Request) -> Response:
    """Who asks, and what they may."""
    peer = peer_of(request)
    assert peer is not None
    await trio.lowlevel.checkpoint()
    return answer(_document(peer))


async def sign_out(request: Request) -> Response:
    """End the session of this browser; without one there is nothing to do."""
    secret = request.cookies.get(cookie_name(request))
    await trio.lowlevel.checkpoint()
    if secret:
        await runtime_of(request).access.sign_out(secret)
    answered = Response(status_code=HTTPStatus.NO_CONTENT)
    answered.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="strict")
    return answered


async def code(request: Request) -> Response:
    """A link with which the operator's browser signs in, once, within five minutes. The code stands in its fragment,
    which browsers send to nobody."""
    await fields_of(request, ())
    access, peer = runtime_of(request).access, peer_of(request)
    assert peer is not None
    if access.address is None:
        raise Refused("HTTP is not served here: see http in the settings, and the log", RefusalKind.UNAVAILABLE)
    link = f"{access.address}#code={access.code_for(peer)}"
    return answer({"link": link, "expires_in": CODE_LIFETIME.total_seconds()}, HTTPStatus.CREATED)


def _document(peer: Peer) -> dict[str, Any]:
    return {
        "user_id": peer.name,
        "org_id": peer.org_id,
        "level": peer.level,
        "via": peer.via,
        "sees": "all" if peer.only_user is None else "own",
        "expires_at": moment(peer.until),
    }


def _options(request: Request) -> HttpOptions:
    options: HttpOptions = request.app.state.options
    return options


def _is_encrypted(request: Request, options: HttpOptions) -> bool:
    if options.behind_proxy:
        return request.headers.get("x-forwarded-proto", "https").strip().lower() == "https"
    return request.url.scheme == "https"


ROUTES = [
    Route("/api/session", sign_in, methods=["POST"]),
    Route("/api/session", who, methods=["GET"]),
    Route("/api/session", sign_out, methods=["DELETE"]),
    Route("/api/session/code", code, methods=["POST"]),
]
