"""Routes about tokens: an admin makes, lists and revokes them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.api.asking import answer, by, field, fields_of, peer_of, runtime_of
from actors.api.documents import moment
from actors.control import RefusalKind, Refused
from actors.store.access import AccessToken

_FIELDS = ("user_id", "level", "org_id", "name", "expires_in")


async def create(request: Request) -> Response:
    """A new token; its secret is in this answer and nowhere else. ``expires_in``: seconds; absent: it does not end."""
    given = await fields_of(request, _FIELDS)
    peer = peer_of(request)
    token, secret = await runtime_of(request).access.create_token(
        user_id=field(given, "user_id", str, "" if peer is None else peer.name),
        level=field(given, "level", str, "viewer"),
        org_id=field(given, "org_id", str, "") or None,
        name=field(given, "name", str, ""),
        expires_in=_seconds(given),
        by=by(request),
    )
    return answer(token_document(token) | {"token": secret}, HTTPStatus.CREATED)


def _seconds(given: dict[str, Any]) -> float | None:
    seconds = given.get("expires_in")
    if seconds is None or (isinstance(seconds, int | float) and not isinstance(seconds, bool)):
        return seconds
    raise Refused("expires_in: must be a number of seconds", RefusalKind.INVALID, "expires_in")


async def listing(request: Request) -> Response:
    """All tokens, revoked ones too, the newest first; never their secrets."""
    return answer({"tokens": [token_document(token) for token in await runtime_of(request).access.tokens()]})


async def revoke(request: Request) -> Response:
    """End a token and the sessions that began with it."""
    token = await runtime_of(request).access.revoke(request.path_params["token_id"], by=by(request))
    return answer(token_document(token))


def token_document(token: AccessToken) -> dict[str, Any]:
    """A token as it may be shown."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "user_id": token.user_id,
        "org_id": token.org_id,
        "level": token.level,
        "created_at": moment(token.created_at),
        "created_by": token.created_by,
        "expires_at": moment(token.expires_at),
        "revoked_at": moment(token.revoked_at),
        "last_used_at": moment(token.last_used_at),
    }


ROUTES = [
    Route("/api/tokens", listing, methods=["GET"]),
    Route("/api/tokens", create, methods=["POST"]),
    Route("/api/tokens/{token_id}", revoke, methods=["DELETE"]),
]
