"""Tokens, sign-in codes and sessions of one runtime.

A token is shown once, when it is made. A code can be exchanged once within five minutes and is kept only in memory: a
restart of the supervisor ends it. A session is a row, so that a browser stays signed in over a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import attrs
import trio

from actors.access.memory import Memory, Sessions, Uses
from actors.access.peer import Peer, Via
from actors.access.secret import (
    PREFIX,
    Codes,
    check_text,
    fresh,
    hash_of,
    hashed,
    known_level,
    known_teams,
    lifetime_of,
)
from actors.jobs.events import EventType
from actors.jobs.ids import IdFactory
from actors.jobs.pages import Cursors, Page
from actors.kernel import Clock
from actors.ledger import Ledger, naming
from actors.store import Transaction
from actors.store import access as rows
from actors.store.access import AccessToken, WebSession
from logconf import get_correlation_id, register_secret

MOST_SESSIONS = 100
"""The most sessions of one token, and of one operator; a new one replaces the oldest."""

T = TypeVar("T")


@attrs.frozen
class SignedIn:
    """A new session: the secret for the cookie, until when it is valid, and whose it is."""

    secret: str
    expires_at: datetime
    peer: Peer


class Access:
    """Finds the caller for a secret; makes and ends tokens and sessions. May raise
    :class:`~actors.store.errors.StoreError`.

    ``sessions``: lists and ends the sessions of browsers. ``codes``: the codes with which a browser signs in once.
    ``address``: the URL where HTTP is served now, with a final slash; None: nowhere. ``not_served``: why not, if it was
    tried.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ids = IdFactory()
        self._memory = Memory(ledger)
        self._uses = Uses(ledger)
        self.sessions = Sessions(ledger, clock, self._memory)
        self.codes = Codes(clock)
        self._registered: set[str] = set()
        self.address: str | None = None
        self.not_served: str | None = None

    async def keep(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read tokens and sessions, then record the uses of tokens until cancelled. Raises ``StoreError``."""
        await self._memory.load()
        task_status.started()
        await self._uses.keep()

    # Who is it? Nothing here reads a row.

    async def token_peer(self, secret: str) -> Peer | None:
        """The caller with this token; None if it is unknown, expired or revoked."""
        known, now = await self._memory.known(), self._clock.now()
        token = known.tokens.get(hash_of(secret))
        if token is None or not token.holds(now):
            return None
        if token.token_id not in self._registered:
            register_secret(secret)
            self._registered.add(token.token_id)
        self._uses.note(token, now)
        return _peer_of(token)

    async def session_peer(self, secret: str) -> Peer | None:
        """The caller with this session's cookie; None if it is unknown or has ended."""
        known = await self._memory.known()
        session = known.sessions.get(hash_of(secret))
        return _peer_of(session) if session is not None and known.session_holds(session, self._clock.now()) else None

    # Tokens.

    async def create_token(
        self,
        *,
        user_id: str,
        level: str,
        org_id: str | None = None,
        teams: Iterable[str] = (),
        name: str = "",
        expires_in: float | None = None,
        by: str | None = None,
        secret: str | None = None,
    ) -> tuple[AccessToken, str]:
        """A new token and, only this once, its secret. ``expires_in``: seconds from now; None: never.

        ``teams``: those that jobs submitted with it may name. Raises :class:`Refused`, which names the wrong field.
        """
        level = known_level(level)
        check_text("user_id", user_id, least=1)
        check_text("org_id", org_id or "")
        check_text("name", name)
        named = known_teams(teams)
        lifetime = lifetime_of(expires_in)
        secret = secret or PREFIX + fresh()
        register_secret(secret)

        def make(tx: Transaction) -> AccessToken:
            token = AccessToken(
                self._ids.new(tx.now), hashed(secret), name, user_id, org_id or None, level,
                created_at=tx.now, created_by=by, teams=named,
                expires_at=None if lifetime is None else tx.now + lifetime,
            )  # fmt: skip
            rows.add_token(tx.connection, token)
            data = {"token_id": token.token_id, "user_id": user_id, "level": level, "by": by}
            tx.emit(EventType.ACCESS_GRANTED, None, get_correlation_id(), **data)
            self._memory.changed(tx)
            return token

        return await self._ledger.store.write(make), secret

    async def tokens_page(self, *, limit: int, cursor: str | None = None, caller: str = "") -> Page[AccessToken]:
        """A page of all tokens, the newest first. Raises :class:`Refused` for a cursor of another list or caller."""
        cursors = Cursors[AccessToken]("tokens", caller)
        place = cursors.read(cursor, str)
        before = None if place is None else str(place[0])
        found, more = await self._ledger.read(lambda connection: rows.tokens_page(connection, limit, before))
        shown = [self._uses.shown(token) for token in found]
        return Page(shown, more=more, cursor=lambda token: cursors.write((token.token_id,)))

    async def none_yet(self) -> bool:
        """Whether no token was ever made here."""
        return not await self._ledger.read(rows.any_token)

    async def revoke(self, part_of_id: str, *, by: str | None = None) -> AccessToken:
        """End a token and every session that began with it. Repeating this is harmless. Raises :class:`Refused`."""

        def end(tx: Transaction) -> AccessToken:
            found = rows.matching(tx.connection, part_of_id.lower()) if part_of_id else []
            token = rows.token(tx.connection, naming.only(part_of_id, found, "token"))
            assert token is not None
            if token.revoked_at is None:
                rows.change_token(tx.connection, token.token_id, revoked_at=tx.now)
                token = attrs.evolve(token, revoked_at=tx.now)
                data = {"token_id": token.token_id, "user_id": token.user_id, "by": by}
                tx.emit(EventType.ACCESS_REVOKED, None, get_correlation_id(), **data)
            rows.end_sessions_of(tx.connection, token.token_id)
            self._memory.changed(tx)
            return token

        return await self._ledger.store.write(end)

    # Signing in.

    async def sign_in_with_code(self, code: str, lifetime: timedelta) -> SignedIn | None:
        """The new session for a code; None if the code is unknown, used or too old."""
        peer = self.codes.take(code)
        return None if peer is None else await self._begin(lambda _tx: (peer, None), lifetime)

    async def sign_in_with_token(self, secret: str, lifetime: timedelta) -> SignedIn | None:
        """A new session with a token's rights, which ends with the token at the latest; None if the token is not
        valid.
        """
        if await self.token_peer(secret) is None:
            return None

        def holder(tx: Transaction) -> tuple[Peer, str] | None:
            """Look the token up again, in its row: it may be revoked while this waits for its transaction."""
            token = rows.token_of(tx.connection, hash_of(secret))
            return None if token is None or not token.holds(tx.now) else (_peer_of(token), token.token_id)

        return await self._begin(holder, lifetime)

    async def _begin(
        self, holder: Callable[[Transaction], tuple[Peer, str | None] | None], lifetime: timedelta
    ) -> SignedIn | None:
        """Begin a session for the caller that ``holder`` finds, with its token's id, in the same transaction."""
        secret = fresh()

        def begin(tx: Transaction) -> WebSession | None:
            if (found := holder(tx)) is None:
                return None
            peer, token_id = found
            rows.drop_ended_sessions(tx.connection, tx.now)
            latest = tx.now + lifetime
            until = latest if peer.until is None else min(latest, peer.until)
            who = (peer.name, peer.org_id, peer.level)
            session = WebSession(hashed(secret), token_id, *who, tx.now, until, peer.teams)
            rows.add_session(tx.connection, session)
            rows.keep_newest_sessions(tx.connection, session, MOST_SESSIONS)
            self._memory.changed(tx)
            return session

        session = await self._ledger.store.write(begin)
        return None if session is None else SignedIn(secret, session.expires_at, _peer_of(session))

    async def sign_out(self, secret: str) -> None:
        """End a session. Repeating this is harmless, and writes nothing."""
        if (secret_hash := hash_of(secret)) not in (await self._memory.known()).sessions:
            return

        def end(tx: Transaction) -> None:
            rows.end_session(tx.connection, secret_hash)
            self._memory.changed(tx)

        await self._ledger.store.write(end)


def _peer_of(one: AccessToken | WebSession) -> Peer:
    """The caller of a token or a session; a session's requests count as those of its token."""
    via: Via = "token" if isinstance(one, AccessToken) else "session"
    key = f"session:{one.secret_hash[:16]}" if one.token_id is None else f"token:{one.token_id}"
    return Peer(None, one.user_id, one.level, one.org_id, via, key=key, until=one.expires_at, teams=one.teams)
