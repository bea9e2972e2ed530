"""Rows of access: tokens and browsers' sessions, both kept as hashes only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection, delete, insert, select, update

from actors.store import dialect
from actors.store.dialect import upsert
from actors.store.rows import read_all, read_one
from actors.store.schema import access_tokens, counters, web_sessions

_VERSION = "access"


def _names(stored: Iterable[str] | None) -> tuple[str, ...]:
    """A list of names, or none at all as in rows of before there were teams."""
    return tuple(stored or ())


@attrs.frozen
class AccessToken:
    """A stored bearer token: its user, its level, until when it is valid. The secret itself is not stored.

    ``teams``: those that jobs submitted with it may name.
    """

    token_id: str
    secret_hash: str
    name: str
    user_id: str
    org_id: str | None
    level: str
    created_at: datetime
    created_by: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    teams: tuple[str, ...] = attrs.field(default=(), converter=_names)

    def holds(self, now: datetime) -> bool:
        """Whether it is valid at ``now``."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@attrs.frozen
class WebSession:
    """A browser that has signed in. ``token_id``: the token with which it signed in; None: with an operator's code."""

    secret_hash: str
    token_id: str | None
    user_id: str
    org_id: str | None
    level: str
    created_at: datetime
    expires_at: datetime
    teams: tuple[str, ...] = attrs.field(default=(), converter=_names)

    @property
    def session_id(self) -> str:
        """Its id in lists; the only thing that can be done with it is to end the session."""
        return self.secret_hash[:16]


def version(connection: Connection) -> int:
    """How often access was changed."""
    return connection.execute(select(counters.c.value).where(counters.c.name == _VERSION)).scalar_one_or_none() or 0


def count_version(connection: Connection) -> None:
    """Increment the version, because access is changed."""
    row = {"name": _VERSION, "value": version(connection) + 1}
    connection.execute(upsert(counters, ("name",), row))


def unrevoked(connection: Connection) -> list[AccessToken]:
    """The tokens that were not revoked, also expired ones, because the wall clock may be set back."""
    rows = connection.execute(select(access_tokens).where(access_tokens.c.revoked_at.is_(None)))
    return read_all(AccessToken, rows)


def sessions(connection: Connection) -> list[WebSession]:
    """All sessions that are kept, the newest first."""
    rows = connection.execute(select(web_sessions).order_by(web_sessions.c.created_at.desc()))
    return read_all(WebSession, rows)


def add_token(connection: Connection, token: AccessToken) -> None:
    """Keep a new token."""
    connection.execute(insert(access_tokens), attrs.asdict(token))


def token_of(connection: Connection, secret_hash: str) -> AccessToken | None:
    """The token whose secret has this hash, whether or not it still holds."""
    return _token(connection, access_tokens.c.secret_hash == secret_hash)


def token(connection: Connection, token_id: str) -> AccessToken | None:
    """The token of this id."""
    return _token(connection, access_tokens.c.token_id == token_id)


def _token(connection: Connection, which: Any) -> AccessToken | None:
    row = connection.execute(select(access_tokens).where(which)).one_or_none()
    return read_one(AccessToken, row)


def tokens(connection: Connection) -> list[AccessToken]:
    """All tokens, revoked ones too, the newest first."""
    rows = connection.execute(select(access_tokens).order_by(access_tokens.c.token_id.desc()))
    return read_all(AccessToken, rows)


def tokens_page(connection: Connection, limit: int, before: str | None) -> tuple[list[AccessToken], bool]:
    """Tokens, the newest first, and whether there are more; ``before``: only those older than this one."""
    query = select(access_tokens).order_by(access_tokens.c.token_id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(access_tokens.c.token_id < before)
    found = read_all(AccessToken, connection.execute(query))
    return found[:limit], len(found) > limit


def any_token(connection: Connection) -> bool:
    """Whether a token was ever made."""
    return connection.execute(select(access_tokens.c.token_id).limit(1)).first() is not None


def matching(connection: Connection, part: str, limit: int = 3) -> list[str]:
    """Ids of tokens that begin or end with ``part``."""
    return dialect.matching(connection, access_tokens.c.token_id, part, limit=limit)


def change_token(connection: Connection, token_id: str, **values: Any) -> None:
    """Change columns of a token."""
    connection.execute(update(access_tokens).where(access_tokens.c.token_id == token_id).values(**values))


def add_session(connection: Connection, session: WebSession) -> None:
    """Keep a new session."""
    connection.execute(insert(web_sessions), attrs.asdict(session))


def end_session(connection: Connection, secret_hash: str) -> None:
    """Forget one session."""
    connection.execute(delete(web_sessions).where(web_sessions.c.secret_hash == secret_hash))


def end_sessions_of(connection: Connection, token_id: str) -> None:
    """Forget every session that began with this token."""
    connection.execute(delete(web_sessions).where(web_sessions.c.token_id == token_id))


def end_all_sessions(connection: Connection) -> int:
    """Forget every session; how many there were."""
    return int(connection.execute(delete(web_sessions)).rowcount)


def drop_ended_sessions(connection: Connection, now: datetime) -> None:
    """Forget the sessions whose time is over."""
    connection.execute(delete(web_sessions).where(web_sessions.c.expires_at <= now))


def keep_newest_sessions(connection: Connection, of: WebSession, most: int) -> None:
    """Forget all but the ``most`` newest sessions of the same token; without one, of the same operator."""
    same = web_sessions.c.token_id == of.token_id
    if of.token_id is None:
        same = web_sessions.c.token_id.is_(None) & (web_sessions.c.user_id == of.user_id)
    older = (
        select(web_sessions.c.secret_hash).where(same).order_by(web_sessions.c.created_at.desc()).limit(-1).offset(most)
    )
    connection.execute(delete(web_sessions).where(web_sessions.c.secret_hash.in_(older)))
