"""When tokens were last used: known exactly here, written seldom, never by the request that used one."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import trio

from actors.ledger import Ledger
from actors.store import Transaction
from actors.store import access as rows
from actors.store.access import AccessToken
from actors.store.errors import StoreError
from logconf import get_logger

WRITTEN_AGAIN = timedelta(hours=1)
"""How exactly it is kept when a token was last used, should this process be killed."""
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
        """It is used now."""
        self._used[token.token_id] = now
        written = self._written.get(token.token_id, token.last_used_at)
        if written is None or not timedelta(0) <= now - written < WRITTEN_AGAIN:
            self._due.set()

    def shown(self, token: AccessToken) -> AccessToken:
        """``token`` with its last use."""
        used = self._used.get(token.token_id)
        return token if used is None else attrs.evolve(token, last_used_at=used)

    async def keep(self) -> None:
        """Write what is due, with a pause after each write, until cancelled; then write the rest."""
        try:
            while True:
                await self._due.wait()
                await self.write()
                await trio.sleep(PAUSE)
        finally:
            with trio.CancelScope(shield=True):
                await self.write()

    async def write(self) -> None:
        """Write every use that is not written yet; what cannot be is tried again with the next."""
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
