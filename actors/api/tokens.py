"""Routes about tokens and sessions: an admin makes tokens, lists both and revokes them."""

from __future__ import annotations

import attrs

from actors.access.permission import ADMIN
from actors.api.answers import page_document
from actors.api.bodies import ListQuery, SessionsQuery, TokenRequest
from actors.api.route import Call, Nothing, route
from actors.documents.access import (
    EndedSessionsDocument,
    MadeTokenDocument,
    SessionsDocument,
    TokenDocument,
    TokensDocument,
    WebSessionDocument,
    token_document,
    web_session_document,
)
from actors.jobs import maxima


async def create(call: Call[TokenRequest, Nothing]) -> MadeTokenDocument:
    """Make a token. Its secret is in this answer and nowhere else."""
    asked = attrs.asdict(call.body) | ({"user_id": call.by} if call.body.user_id is None else {})
    token, secret = await call.runtime.access.create_token(**asked, by=call.by)
    return {**token_document(token), "token": secret}


async def listing(call: Call[Nothing, ListQuery]) -> TokensDocument:
    """List all tokens, also revoked ones, the newest first; never their secrets."""
    asked = call.query
    found = await call.runtime.access.tokens_page(limit=asked.limit, cursor=asked.cursor, caller=call.by)
    return page_document(TokensDocument, "tokens", found, token_document)


async def revoke(call: Call[Nothing, Nothing]) -> TokenDocument:
    """Revoke a token, and end the sessions that began with it."""
    return token_document(await call.runtime.access.revoke(call.path("token_id"), by=call.by))


async def sessions(call: Call[Nothing, ListQuery]) -> SessionsDocument:
    """List the browsers that are signed in, also those of `greenroom open`, the newest first."""
    asked = call.query
    found = await call.runtime.access.sessions.page(limit=asked.limit, cursor=asked.cursor, caller=call.by)
    return page_document(SessionsDocument, "sessions", found, web_session_document)


async def end_session(call: Call[Nothing, Nothing]) -> WebSessionDocument:
    """Sign one browser out."""
    return web_session_document(await call.runtime.access.sessions.end(call.path("session_id"), by=call.by))


async def end_sessions(call: Call[Nothing, SessionsQuery]) -> EndedSessionsDocument:
    """Sign out every browser of one user; the user's tokens stay."""
    ended = await call.runtime.access.sessions.end_of(call.query.user_id, by=call.by)
    shown = [web_session_document(session) for session in ended[: maxima.ROWS]]
    return {"ended": len(ended), "sessions": shown}


ROUTES = [
    route("GET", "/api/tokens", listing, ADMIN),
    route("POST", "/api/tokens", create, ADMIN, status=201),
    route("DELETE", "/api/tokens/{token_id}", revoke, ADMIN),
    route("GET", "/api/sessions", sessions, ADMIN),
    route("DELETE", "/api/sessions", end_sessions, ADMIN),
    route("DELETE", "/api/sessions/{session_id}", end_session, ADMIN),
]
