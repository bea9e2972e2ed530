"""Tokens, sign-in codes and sessions of one runtime.

A token is shown once, when it is made. A code is for one exchange within five minutes and lives in memory: who restarts
the supervisor asks for another. A session is a row, so that a browser stays signed in over a restart.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from actors.access.peer import Peer
from actors.access.secret import LONGEST, PREFIX, fresh, hashed
from actors.jobs.guessing import did_you_mean
from actors.jobs.ids import IdFactory
from actors.jobs.levels import LEVELS, normalised
from actors.jobs.refusal import RefusalKind, Refused
from actors.kernel import Clock
from actors.ledger import Ledger, reading
from actors.store import Transaction, jobs
from actors.store import access as rows
from actors.store.access import AccessToken, WebSession
from logconf import get_correlation_id, register_secret

CODE_LIFETIME = timedelta(minutes=5)
_MOST_CODES = 64
_USED_AGAIN = timedelta(hours=1)
"""How exactly it is kept when a token was last used: a write for each request would be dear."""
_LONGEST_NAME = 255
_MOST_TEAMS = 100

T = TypeVar("T")


@attrs.frozen
class SignedIn:
    """A session that has begun: the secret for the cookie, until when, and who it is."""

    secret: str
    expires_at: datetime
    peer: Peer


class Access:
    """Who comes with which secret. ``address``: where HTTP is served at this moment, with a final slash; None: nowhere.

    Whatever is asked of the store may raise :class:`~actors.store.errors.StoreError`.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ids = IdFactory()
        self._codes: dict[str, tuple[Peer, datetime]] = {}
        self._registered: set[str] = set()
        self.address: str | None = None

    async def _write(self, closure: Callable[[Transaction], T]) -> T:
        return await self._ledger.store.write(closure)

    # Who is it?

    async def token_peer(self, secret: str) -> Peer | None:
        """Who comes with this token; None where it is unknown, expired or revoked."""
        token = await self._ledger.read(rows.token_of(hashed(secret[:LONGEST])))
        now = self._clock.now()
        if token is None or not hmac.compare_digest(token.secret_hash, hashed(secret)) or not token.holds(now):
            return None
        if token.token_id not in self._registered:
            register_secret(secret)
            self._registered.add(token.token_id)
        if token.last_used_at is None or now - token.last_used_at >= _USED_AGAIN:
            await self._write(lambda tx: rows.change_token(tx.connection, token.token_id, last_used_at=tx.now))
        key = _key(token.token_id)
        return Peer(
            None, token.user_id, token.level, token.org_id, "token", key=key, until=token.expires_at, teams=token.teams
        )

    async def session_peer(self, secret: str) -> Peer | None:
        """Who comes with this session's cookie; None where it is unknown or over."""
        session = await self._ledger.read(rows.session_of(hashed(secret[:LONGEST])))
        if session is None or not hmac.compare_digest(session.secret_hash, hashed(secret)):
            return None
        return _peer(session) if self._clock.now() < session.expires_at else None

    async def owner_of_job(self, part: str) -> str:
        """Whose job this is. Raises :class:`Refused` where there is none, or where more than one fits."""
        job_id = await self._ledger.read(reading.resolve(part))
        job = await self._ledger.read(lambda connection: jobs.get(connection, job_id))
        if job is None:
            raise Refused(f"there is no job {part!r:.80}", RefusalKind.NOT_FOUND)
        return job.request.user_id

    async def owner_of_approval(self, part: str) -> str:
        """Whose job this approval request holds back. Raises :class:`Refused` where there is none."""
        approval_id = await self._ledger.read(reading.resolve_approval(part))
        request = await self._ledger.read(reading.request(approval_id))
        return await self.owner_of_job(request.job_id)

    async def owners(self, job_ids: Iterable[str]) -> dict[str, str]:
        """Whose these jobs are, by job id."""
        wanted = list(job_ids)
        found = await self._ledger.read(lambda connection: jobs.get_many(connection, wanted))
        return {job_id: job.request.user_id for job_id, job in found.items()}

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
        """A new token and, this once, its secret. ``expires_in``: seconds from now; None: never.

        ``teams``: those that jobs submitted with it may name.
        Raises :class:`Refused` naming the field that makes no sense.
        """
        level = _known_level(level)
        _check_text("user_id", user_id, least=1)
        _check_text("org_id", org_id or "")
        _check_text("name", name)
        named = _known_teams(teams)
        lifetime = _lifetime(expires_in)
        secret = secret or PREFIX + fresh()
        register_secret(secret)

        def make(tx: Transaction) -> AccessToken:
            token = AccessToken(
                self._ids.new(tx.now), hashed(secret), name, user_id, org_id or None, level,
                created_at=tx.now, created_by=by, teams=named,
                expires_at=None if lifetime is None else tx.now + lifetime,
            )  # fmt: skip
            rows.add_token(tx.connection, token)
            told = {"token_id": token.token_id, "user_id": user_id, "level": level, "by": by}
            tx.emit("access_granted", None, get_correlation_id(), **told)
            return token

        return await self._write(make), secret

    async def tokens(self) -> list[AccessToken]:
        """All tokens, the newest first."""
        return await self._ledger.read(rows.tokens)

    async def none_yet(self) -> bool:
        """Whether no token was ever made here."""
        return not await self._ledger.read(rows.any_token)

    async def revoke(self, part_of_id: str, *, by: str | None = None) -> AccessToken:
        """End a token and every session that began with it; once more is harmless. Raises :class:`Refused`."""

        def end(tx: Transaction) -> AccessToken:
            found = rows.matching(tx.connection, part_of_id.lower()) if part_of_id else []
            if not found:
                raise Refused(f"there is no token {part_of_id!r:.80}", RefusalKind.NOT_FOUND)
            if len(found) > 1:
                raise Refused(f"{part_of_id!r:.80} fits more than one token; type more of it", RefusalKind.INVALID)
            token = rows.token(tx.connection, found[0])
            assert token is not None
            if token.revoked_at is None:
                rows.change_token(tx.connection, token.token_id, revoked_at=tx.now)
                token = attrs.evolve(token, revoked_at=tx.now)
                told = {"token_id": token.token_id, "user_id": token.user_id, "by": by}
                tx.emit("access_revoked", None, get_correlation_id(), **told)
            rows.end_sessions_of(tx.connection, token.token_id)
            return token

        return await self._write(end)

    # Signing in.

    def code_for(self, peer: Peer) -> str:
        """A code with which a browser signs in as ``peer``: once, within :data:`CODE_LIFETIME`."""
        code, now = fresh(), self._clock.now()
        self._codes = {key: (who, until) for key, (who, until) in self._codes.items() if now < until}
        while len(self._codes) >= _MOST_CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[hashed(code)] = (peer, now + CODE_LIFETIME)
        return code

    async def sign_in_with_code(self, code: str, lifetime: timedelta) -> SignedIn | None:
        """The session that a code is exchanged for; None where it is unknown, used or too old."""
        peer, until = self._codes.pop(hashed(code[:LONGEST]), (None, None))
        if peer is None or until is None or self._clock.now() >= until:
            return None
        return await self._begin(peer, None, lifetime)

    async def sign_in_with_token(self, secret: str, lifetime: timedelta) -> SignedIn | None:
        """A session with a token's rights, which ends with it at the latest; None where the token opens nothing."""
        peer = await self.token_peer(secret)
        if peer is None:
            return None
        return await self._begin(peer, peer.key.removeprefix(_TOKEN), lifetime)

    async def _begin(self, peer: Peer, token_id: str | None, lifetime: timedelta) -> SignedIn:
        secret = fresh()

        def begin(tx: Transaction) -> WebSession:
            rows.drop_ended_sessions(tx.connection, tx.now)
            latest = tx.now + lifetime
            until = latest if peer.until is None else min(latest, peer.until)
            who = (peer.name, peer.org_id, peer.level)
            session = WebSession(hashed(secret), token_id, *who, tx.now, until, peer.teams)
            rows.add_session(tx.connection, session)
            return session

        session = await self._write(begin)
        return SignedIn(secret, session.expires_at, _peer(session))

    async def sign_out(self, secret: str) -> None:
        """End a session; once more is harmless."""
        await self._write(lambda tx: rows.end_session(tx.connection, hashed(secret)))


_TOKEN = "token:"  # noqa: S105 - a prefix of keys, no secret


def _key(token_id: str) -> str:
    return _TOKEN + token_id


def _peer(session: WebSession) -> Peer:
    """Requests of a session count as those of its token."""
    key = f"session:{session.secret_hash[:16]}" if session.token_id is None else _key(session.token_id)
    until, teams = session.expires_at, session.teams
    return Peer(None, session.user_id, session.level, session.org_id, "session", key=key, until=until, teams=teams)


def _known_level(level: str) -> str:
    if (plain := normalised(level)) not in LEVELS:
        guess = did_you_mean(plain[:80], LEVELS)
        raise Refused(f"level: must be one of {', '.join(LEVELS)}{guess}", RefusalKind.INVALID, "level")
    return plain


def _check_text(field: str, value: str, least: int = 0) -> None:
    if not least <= len(value) <= _LONGEST_NAME or not value.isprintable():
        message = f"{field}: must have {least} to {_LONGEST_NAME} printable characters"
        raise Refused(message, RefusalKind.INVALID, field)


def _known_teams(teams: Iterable[str]) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(teams))
    if len(named) > _MOST_TEAMS:
        raise Refused(f"teams: must be at most {_MOST_TEAMS}", RefusalKind.INVALID, "teams")
    for team in named:
        _check_text("teams", team, least=1)
    return named


def _lifetime(seconds: float | None) -> timedelta | None:
    if seconds is None:
        return None
    try:
        lifetime = timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        lifetime = timedelta(0)
    if not timedelta(0) < lifetime <= timedelta(days=36_500):
        raise Refused(
            "expires_in: must be more than 0 seconds and at most 100 years", RefusalKind.INVALID, "expires_in"
        )
    return lifetime
