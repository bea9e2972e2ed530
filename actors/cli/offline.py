"""The rows while no supervisor runs: for commands that only look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import attrs
import trio

from actors.control.operations import Operations
from actors.kernel import Bus
from actors.ledger import Ledger
from actors.runtime import Parts, guarded_providers
from actors.settings import Settings
from actors.store import Store, ThreadExecutor, read_only
from actors.store.dialect import open_immutable
from actors.store.state_directory import DATABASE, StateDirectoryError


@asynccontextmanager
async def open_reading(
    settings: Settings, say: Callable[[str], object] = lambda _text: None
) -> AsyncIterator[Operations]:
    """Look at the rows while no supervisor runs (C4): what changes something needs one.

    A place that is read-only is read all the same, and ``say`` is told. Raises
    :class:`~actors.store.state_directory.StateDirectoryError` where there is nothing to look at yet.
    """
    path = settings.state_dir / DATABASE
    if not path.exists():
        raise StateDirectoryError(f"there is nothing in {settings.state_dir} yet; start a supervisor: greenroom run")
    executor, parts, spare = ThreadExecutor(1), Parts(), None
    with ExitStack() as stack:
        engine = None
        if read_only.is_read_only(path):
            view = stack.enter_context(read_only.viewed(path))
            path, spare = view.database, view.folder
            engine = open_immutable(view.uri) if view.immutable else None
            say(f"{settings.state_dir} is read-only" + ("" if view.immutable else "; this is read from a copy"))
        store = Store(path, executor=executor, now=parts.clock.now, engine=engine)
        await store.open()
        ledger = Ledger(store, publish=lambda _event: None, limits=settings.limits, approvals=settings.approvals)
        try:
            yield Operations(ledger, guarded_providers(_usable(settings, spare), parts), Bus(), parts.clock)
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()


def _usable(settings: Settings, spare: Path | None) -> Settings:
    """Settings whose providers find the folders that they make; ``spare``: where they may, if not in their place."""
    if spare is None:
        return settings
    places = [settings.state_dir / "providers" / name for name in settings.providers]
    return settings if all(place.is_dir() for place in places) else attrs.evolve(settings, state_dir=spare)
