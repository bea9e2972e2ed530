"""Answers about who may come in: tokens, sessions, links."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.words import Moment


class TokenDocument(TypedDict):
    """A token as it may be shown."""

    token_id: str
    name: str
    user_id: str
    org_id: str | None
    teams: list[str]
    level: str
    created_at: Moment | None
    created_by: str | None
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class MadeTokenDocument(TokenDocument):
    """A token that was made now: ``token`` is its secret, which is told here and nowhere else."""

    token: str


class TokensDocument(TypedDict):
    """A page of all tokens, revoked ones too, the newest first. ``next`` goes into ``cursor``; null: the last one."""

    tokens: list[TokenDocument]
    next: str | None


class WebSessionDocument(TypedDict):
    """A browser that is signed in. ``token_id``: of the token that it signed in with; null: by `greenroom open`."""

    session_id: str
    token_id: str | None
    user_id: str
    org_id: str | None
    level: str
    created_at: Moment | None
    expires_at: Moment | None


class SessionsDocument(TypedDict):
    """A page of sessions, the newest first. ``next``: the cursor of the page after; null: this is the last."""

    sessions: list[WebSessionDocument]
    next: str | None


class EndedSessionsDocument(TypedDict):
    """Sessions that were ended: how many, and the newest of them."""

    ended: int
    sessions: list[WebSessionDocument]


class SessionDocument(TypedDict):
    """Who asks, and what they may. ``sees``: ``all`` jobs, or ``own``. ``via``: socket, token or session."""

    user_id: str
    org_id: str | None
    teams: list[str]
    level: str
    via: str
    sees: str
    expires_at: Moment | None


class LinkDocument(TypedDict):
    """A link that signs a browser in, once, within so many seconds."""

    link: str
    expires_in: float
