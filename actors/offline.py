"""The rows while no supervisor runs: for commands that only look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from actors.kernel import Bus
from actors.ledger import Ledger
from actors.operations import Operations
from actors.runtime import Parts, guarded
from actors.settings import Settings
from actors.state_directory import DATABASE, StateDirectoryError
from actors.store import Store, ThreadExecutor


@asynccontextmanager
async def open_reading(settings: Settings) -> AsyncIterator[Operations]:
    """Look at the rows while no supervisor runs (C4): what changes something needs one.

    Raises :class:`~actors.state_directory.StateDirectoryError` where there is nothing to look at yet.
    """
    path = settings.state_dir / DATABASE
    if not path.exists():
        raise StateDirectoryError(f"there is nothing in {settings.state_dir} yet; start a supervisor: greenroom run")
    store = Store(path, executor=ThreadExecutor(1), now=(parts := Parts()).clock.now)
    await store.open()
    ledger = Ledger(store, publish=lambda _event: None, limits=settings.limits, approvals=settings.approvals)
    try:
        yield Operations(ledger, guarded(settings, parts), Bus(), parts.clock)
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
