"""Tokens and sessions in memory, so that checking a request reads no row (D4).

One process holds the state directory's lock, so whatever changes access goes through a transaction of this process.
Each such transaction counts a version on, reads what it leaves behind, and puts that here once it is committed: a
change cannot be half seen, and of two that pass one another the newer version stays.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

import attrs
import trio
from sqlalchemy import Connection

from actors.ledger import Ledger
from actors.store import Transaction
from actors.store import access as rows
from actors.store.access import AccessToken, WebSession


@attrs.frozen
class Known:
    """What may open something, as of ``version``. ``tokens`` (not revoked) and ``sessions`` by the hash of their
    secret, ``by_id``: the same tokens by id. Whether they have expired, the caller checks."""

    version: int
    tokens: Mapping[str, AccessToken]
    by_id: Mapping[str, AccessToken]
    sessions: Mapping[str, WebSession]

    def session_holds(self, session: WebSession, now: datetime) -> bool:
        """Whether a session opens anything at ``now``: in its time, and while its token does."""
        if now >= session.expires_at:
            return False
        token = self.by_id.get(session.token_id or "")
        return session.token_id is None or (token is not None and token.holds(now))


def read(connection: Connection) -> Known:
    """Read it from the rows."""
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
        """Read it from the rows. Raises :class:`~actors.store.errors.StoreError`."""
        self._replace(await self._ledger.read(read))

    async def known(self) -> Known:
        """What is known now; rows are read where it was never loaded, and never after that."""
        if self._known is None:
            await self.load()
        await trio.lowlevel.checkpoint()
        assert self._known is not None
        return self._known

    def changed(self, tx: Transaction) -> None:
        """To be called at the end of a ``tx`` that changed access: memory is replaced once it is committed."""
        rows.count_version(tx.connection)
        found = read(tx.connection)
        tx.after_commit(lambda: self._replace(found))

    def _replace(self, found: Known) -> None:
        with self._lock:
            if self._known is None or found.version >= self._known.version:
                self._known = found
