"""Tokens and sessions in memory, so that checking a request reads no row; last uses; the list of sessions.

One process holds the state directory's lock, so every change of access is a transaction of this process. Each such
transaction increments a version and reads the resulting rows; they replace the ones in memory when it is committed. So
a change is never seen in part, and if two transactions overtake each other, the newer version stays. The last use of a
token is known exactly in memory, and is written seldom, never by the request that used the token.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import attrs
import trio
from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.pages import Cursors, Page
from actors.kernel import Clock
from actors.ledger import Ledger, naming
from actors.store import Transaction
from actors.store import access as rows
from actors.store.access import AccessToken, WebSession
from actors.store.errors import StoreError
from actors.store.types import microseconds
from logconf import get_correlation_id, get_logger


@attrs.frozen
class Known:
    """The valid secrets as of ``version``.

    ``tokens`` (not revoked) and ``sessions`` by the hash of their secret, ``by_id``: the same tokens by id. The caller
    checks whether they have expired.
    """

    version: int
    tokens: Mapping[str, AccessToken]
    by_id: Mapping[str, AccessToken]
    sessions: Mapping[str, WebSession]

    def session_holds(self, session: WebSession, now: datetime) -> bool:
        """Whether a session is valid at ``now``: it has not expired, and its token is valid."""
        if now >= session.expires_at:
            return False
        token = self.by_id.get(session.token_id or "")
        return session.token_id is None or (token is not None and token.holds(now))


def read(connection: Connection) -> Known:
    """Read the valid secrets from the rows."""
    tokens = rows.unrevoked(connection)
    sessions = {session.secret_hash: session for session in rows.sessions(connection)}
    by_hash = {token.secret_hash: token for token in tokens}
    return Known(rows.version(connection), by_hash, {token.token_id: token for token in tokens}, sessions)


class Memory:
    """The newest :class:`Known` of ``ledger``'s store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: Known | None = None
        self._lock = threading.Lock()  # a transaction ends in the writer's thread

    async def load(self) -> None:
        """Read the rows. Raises :class:`~actors.store.errors.StoreError`."""
        self._replace(await self._ledger.read(read))

    async def known(self) -> Known:
        """The valid secrets now; rows are read only the first time."""
        if self._known is None:
            await self.load()
        await trio.lowlevel.checkpoint()
        assert self._known is not None
        return self._known

    def changed(self, tx: Transaction) -> None:
        """Call this at the end of a ``tx`` that changed access: the content of memory is replaced once it is
        committed.
        """
        rows.count_version(tx.connection)
        found = read(tx.connection)
        tx.after_commit(lambda: self._replace(found))

    def _replace(self, found: Known) -> None:
        with self._lock:
            if self._known is None or found.version >= self._known.version:
                self._known = found


WRITTEN_AGAIN = timedelta(hours=1)
"""Seconds between two writes of a token's last use: this much of it may be lost if the process is killed."""
PAUSE = 60.0
"""Seconds between two writes, each of which is for all tokens."""
_logger = get_logger("actors.access")


class Uses:
    """When each token was last used since this process began."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._used: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}
        self._due = trio.Event()

    def note(self, token: AccessToken, now: datetime) -> None:
        """Note that the token is used now."""
        self._used[token.token_id] = now
        written = self._written.get(token.token_id, token.last_used_at)
        if written is None or not timedelta(0) <= now - written < WRITTEN_AGAIN:
            self._due.set()

    def shown(self, token: AccessToken) -> AccessToken:
        """``token`` with its last use."""
        used = self._used.get(token.token_id)
        return token if used is None else attrs.evolve(token, last_used_at=used)

    async def keep(self) -> None:
        """Write the uses that are due, with a pause after each write, until cancelled; then write the rest."""
        try:
            while True:
                await self._due.wait()
                await self.write()
                await trio.sleep(PAUSE)
        finally:
            with trio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Write every use that is not written yet; those that cannot be written are tried again the next time."""
        self._due = trio.Event()
        new = {token_id: used for token_id, used in self._used.items() if self._written.get(token_id) != used}

        def closure(tx: Transaction) -> None:
            for token_id, used in new.items():
                rows.change_token(tx.connection, token_id, last_used_at=used)

        if new:
            try:
                await self._ledger.store.write(closure)
                self._written |= new
            except StoreError as error:  # the store logs it, and nothing depends on this write
                _logger.debug("The times when tokens were last used were not written: %s", error)
        await trio.lowlevel.checkpoint()


def _place(session: WebSession) -> tuple[int, str]:
    """The place of a session in the list, which is sorted from oldest to newest."""
    return microseconds(session.created_at), session.session_id


class Sessions:
    """Lists and ends sessions, also those of ``greenroom open``, which have no token."""

    def __init__(self, ledger: Ledger, clock: Clock, memory: Memory) -> None:
        self._ledger = ledger
        self._clock = clock
        self._memory = memory

    async def listed(self) -> list[WebSession]:
        """The valid sessions, the newest first."""
        known, now = await self._memory.known(), self._clock.now()
        found = [session for session in known.sessions.values() if known.session_holds(session, now)]
        return sorted(found, key=_place, reverse=True)

    async def page(self, *, limit: int, cursor: str | None = None, caller: str = "") -> Page[WebSession]:
        """A page of :meth:`listed`. Raises :class:`Refused` for a cursor of another list or caller."""
        cursors = Cursors[WebSession]("sessions", caller)
        place = cursors.read(cursor, int, str)
        found = [session for session in await self.listed() if place is None or _place(session) < place]
        return Page(found[:limit], more=len(found) > limit, cursor=lambda session: cursors.write(_place(session)))

    async def end(self, part_of_id: str, *, by: str | None = None) -> WebSession:
        """End one session, named by its id or the beginning of it. Raises :class:`Refused`."""

        def one(sessions: list[WebSession]) -> list[WebSession]:
            begun = part_of_id.lower() or " "  # nothing begins no id
            found = {one.session_id: one for one in sessions if one.session_id.startswith(begun)}
            return [found[naming.only(part_of_id, list(found), "session")]]

        return (await self._end(one, by))[0]

    async def end_of(self, user_id: str, *, by: str | None = None) -> list[WebSession]:
        """End every session of this user; that there is none is no error."""
        return await self._end(lambda sessions: [one for one in sessions if one.user_id == user_id], by)

    async def _end(self, choose: Callable[[list[WebSession]], list[WebSession]], by: str | None) -> list[WebSession]:
        def closure(tx: Transaction) -> list[WebSession]:
            found = choose(list(rows.sessions(tx.connection)))
            for session in found:
                rows.end_session(tx.connection, session.secret_hash)
                data = {"session_id": session.session_id, "user_id": session.user_id, "by": by}
                tx.emit(EventType.SESSION_REVOKED, None, get_correlation_id(), **data)
            self._memory.changed(tx)
            return found

        return await self._ledger.store.write(closure)
