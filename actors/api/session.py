"""Signing in and out: a code or a token is exchanged for a cookie that scripts cannot read and other sites cannot
send.
"""

from __future__ import annotations

from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.access.permission import PUBLIC, SOCKET, VIEWER, Permission
from actors.access.secret import CODE_LIFETIME
from actors.api.answers import Answer, answer
from actors.api.bodies import SignInRequest
from actors.api.guard import cookie_name
from actors.api.options import HttpOptions
from actors.api.rate_limits import SIGN_IN, SignInRate
from actors.api.route import Call, Nothing, route
from actors.documents.access import LinkDocument, SessionDocument, session_document
from actors.jobs.refusal import RefusalKind, Refused

MOST_OF_SIGN_IN = 4096
"""The most bytes of a sign-in: it is read even if its address has used up its rate, because it may have a valid
token.
"""


async def sign_in(call: Call[SignInRequest, Nothing]) -> Answer[SessionDocument]:
    """Exchange a code or a token for a session: 201 and a cookie, or 401."""
    asked, request = call.body, call.request
    if (asked.code is None) == (asked.token is None):
        raise Refused("give one of code and token", RefusalKind.INVALID)
    access, options = call.runtime.access, _options(request)
    lifetime = timedelta(hours=options.session_hours)
    rate: SignInRate | None = request.scope.get("state", {}).get(SIGN_IN)
    if asked.code is not None:
        if rate is not None:
            rate.check(None, good=access.codes.knows(asked.code))
        session = await access.sign_in_with_code(asked.code, lifetime)
    else:
        assert asked.token is not None
        peer = await access.token_peer(asked.token)
        if rate is not None:
            rate.check(None if peer is None else peer.key, good=peer is not None)
        session = await access.sign_in_with_token(asked.token, lifetime)
    if session is None:
        why = (
            "unknown token" if asked.code is None else "this code was used or is too old: greenroom open makes another"
        )
        raise HTTPException(401, why, {"WWW-Authenticate": "Bearer"})
    answered = answer(session_document(session.peer), 201)
    answered.set_cookie(
        cookie_name(request), session.secret, expires=session.expires_at, path="/", httponly=True, samesite="strict",
        secure=_is_encrypted(request, options),
    )  # fmt: skip
    return answered


async def who(call: Call[Nothing, Nothing]) -> SessionDocument:
    """Show the caller and their rights."""
    return session_document(call.peer)


async def sign_out(call: Call[Nothing, Nothing]) -> Response:
    """End the session of this browser; does nothing without one."""
    secret = call.request.cookies.get(cookie_name(call.request))
    if secret:
        await call.runtime.access.sign_out(secret)
    answered = Response(status_code=204)
    answered.delete_cookie(cookie_name(call.request), path="/", httponly=True, samesite="strict")
    return answered


async def code(call: Call[Nothing, Nothing]) -> LinkDocument:
    """Make a link with which the operator's browser signs in.

    Its code is valid once, within five minutes. It is in the fragment, which browsers do not send.
    """
    access = call.runtime.access
    if access.address is None:
        raise Refused("HTTP is not served here: see http in the settings, and the log", RefusalKind.UNAVAILABLE)
    link = f"{access.address}#code={access.codes.make(call.peer)}"
    return {"link": link, "expires_in": CODE_LIFETIME.total_seconds()}


def _options(request: Request) -> HttpOptions:
    options: HttpOptions = request.app.state.options
    return options


def _is_encrypted(request: Request, options: HttpOptions) -> bool:
    if options.behind_proxy:
        return request.headers.get("x-forwarded-proto", "https").strip().lower() == "https"
    return request.url.scheme == "https"


ROUTES = [
    route("POST", "/api/session", sign_in, Permission(None, rate="sign_in"), status=201, body_bytes=MOST_OF_SIGN_IN),
    route("GET", "/api/session", who, VIEWER),
    route("DELETE", "/api/session", sign_out, PUBLIC, status=204),
    route("POST", "/api/session/code", code, SOCKET, status=201),
]
