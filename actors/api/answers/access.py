"""Answers about who may come in: tokens, sessions, links."""

from __future__ import annotations

from typing import TypedDict

from actors.api.answers.words import Moment


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
    """All tokens, revoked ones too, the newest first."""

    tokens: list[TokenDocument]


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
