"""Tokens, sessions and sign-in links."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from actors.access.peer import Peer
from actors.documents.common import from_fields
from actors.store.access import AccessToken, WebSession


class TokenDocument(TypedDict):
    """A token, without its secret."""

    token_id: str
    name: str
    user_id: str
    org_id: str | None
    teams: list[str]
    level: str
    created_at: datetime | None
    created_by: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def token_document(token: AccessToken) -> TokenDocument:
    """A token, without its secret."""
    return from_fields(TokenDocument, token)


class MadeTokenDocument(TokenDocument):
    """A new token: ``token`` is its secret, which is shown here and nowhere else."""

    token: str


class TokensDocument(TypedDict):
    """A page of all tokens, also revoked ones, the newest first. ``next``: the ``cursor`` of the next page; null:
    this is the last.
    """

    tokens: list[TokenDocument]
    next: str | None


class WebSessionDocument(TypedDict):
    """A browser that is signed in. ``token_id``: the token with which it signed in; null: with `greenroom open`."""

    session_id: str
    token_id: str | None
    user_id: str
    org_id: str | None
    level: str
    created_at: datetime | None
    expires_at: datetime | None


def web_session_document(session: WebSession) -> WebSessionDocument:
    """A browser's session, without its secret."""
    return from_fields(WebSessionDocument, session)


class SessionsDocument(TypedDict):
    """A page of sessions, the newest first. ``next``: the ``cursor`` of the next page; null: this is the last."""

    sessions: list[WebSessionDocument]
    next: str | None


class EndedSessionsDocument(TypedDict):
    """How many sessions were ended, and the newest of them."""

    ended: int
    sessions: list[WebSessionDocument]


class SessionDocument(TypedDict):
    """The caller and their rights. ``sees``: ``all`` jobs, or ``own``. ``commands``: whether their jobs may be
    commands.

    ``via``: socket, socket_other (of another user than the supervisor's), token or session.
    """

    user_id: str
    org_id: str | None
    teams: list[str]
    level: str
    via: str
    sees: str
    commands: bool
    expires_at: datetime | None


def session_document(peer: Peer) -> SessionDocument:
    """The caller and their rights."""
    sees = "all" if peer.only_user is None else "own"
    commands = peer.is_local or peer.commands
    return from_fields(SessionDocument, peer, user_id=peer.name, sees=sees, commands=commands, expires_at=peer.until)


class LinkDocument(TypedDict):
    """A link that signs a browser in, once, within this many seconds."""

    link: str
    expires_in: float
