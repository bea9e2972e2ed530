"""Answers when no supervisor runs: the HTTP application, called in this process, reads the rows alone (C4)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import attrs
import click
import httpx
import trio

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.naming import NEWEST, newest_header
from actors.cli.context import Failed, load_settings, os_user, refusal
from actors.control.context import Context
from actors.control.entry_points import EntryPoints
from actors.control.log_beginning import first_lines
from actors.control.runtime import NOT_RUNNING, Reading
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import Viewer
from actors.ledger import Ledger
from actors.runtime import Parts, configured_rules, guarded_providers
from actors.settings import Settings
from actors.settings.effective import as_documents
from actors.store import Store, ThreadExecutor, read_only
from actors.store.dialect import open_immutable
from actors.store.errors import StoreError
from actors.store.state_directory import DATABASE, StateDirectoryError

T = TypeVar("T")


class _ReadOnlyStore(Store):
    """A store without a writer: every change of a row is refused."""

    async def write(self, closure: object) -> Any:
        await trio.lowlevel.checkpoint()
        raise Refused(NOT_RUNNING, RefusalKind.UNAVAILABLE)


@asynccontextmanager
async def open_reading(
    settings: Settings, note: Callable[[str], object] = lambda _text: None
) -> AsyncIterator[Reading]:
    """Read the rows while no supervisor runs; changes need one, and are refused.

    Nothing in the directory is changed: if it is read-only, or its database is of an older version, a copy is read,
    and ``note`` is called with this fact. Raises :class:`~actors.store.state_directory.StateDirectoryError` if there is
    nothing to read yet.
    """
    path = settings.state_dir / DATABASE
    if not path.exists():
        raise StateDirectoryError(f"there is nothing in {settings.state_dir} yet; start a supervisor: greenroom run")
    executor, parts = ThreadExecutor(1), Parts()
    with ExitStack() as stack:
        spare, engine = Path(stack.enter_context(TemporaryDirectory(prefix="greenroom-"))), None
        if (why := _why_not_opened(settings, path)) is not None:
            view = stack.enter_context(read_only.viewed(path))
            path = view.database
            engine = open_immutable(view.uri) if view.immutable else None
            note(why + ("" if view.immutable else "; this is read from a copy"))
        store = _ReadOnlyStore(path, executor=executor, now=parts.clock.now, engine=engine)
        await store.open()
        ledger = Ledger(
            store, publish=lambda _event: None, limits=settings.limits, approvals=settings.approvals,
            rules=configured_rules(settings), queue=settings.queue, notify=settings.notify,
        )  # fmt: skip
        context = Context(ledger, guarded_providers(_usable(settings, spare), parts), parts.clock)
        try:
            yield Reading(
                context,
                partial(as_documents, settings),
                settings.series.best,
                EntryPoints(settings.offered_entry_points()),
            )
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()


def _why_not_opened(settings: Settings, database: Path) -> str | None:
    """Why the database is not opened in its place, as a supervisor does; None: it can be."""
    if read_only.is_read_only(database):
        return f"{settings.state_dir} is read-only"
    if read_only.is_old(database):  # only a supervisor, which has the lock, may migrate it
        return f"the database in {settings.state_dir} is of an older version, until a supervisor is started"
    return None


def _usable(settings: Settings, spare: Path) -> Settings:
    """Settings whose providers can create their folders: in ``spare``, if they are not in their usual place yet."""
    places = [settings.state_dir / "providers" / name for name in settings.providers]
    return settings if all(place.is_dir() for place in places) else attrs.evolve(settings, state_dir=spare)


def get(config: str | None, path: str, params: Any) -> tuple[int, bytes, str | None]:
    """The status and body of the answer to ``GET path``, and its header about the newest of several jobs of a name."""

    async def ask(reading: Reading) -> tuple[int, bytes, str | None]:
        transport = httpx.ASGITransport(app=asked_by(create_app(reading), Peer(os.getuid(), os_user())))
        async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
            answer = await http.get(path, params=params)
            return answer.status_code, answer.content, answer.headers.get(NEWEST)

    return _run(config, ask)


def logs(config: str | None, job: str, write: Callable[[bytes], object], begin: Mapping[str, Any]) -> str | None:
    """Write the output that a job has produced until now. Returns the header about its name, as :func:`get` does.

    ``begin``: its last lines (``tail``), what was written ``since`` an instant, or the output of one ``attempt``.
    """

    async def copy(reading: Reading) -> str | None:
        since, attempt = begin.get("since"), begin.get("attempt")
        after = None if since is None else datetime.fromisoformat(since)
        named = await reading.jobs.named(job, Viewer(os_user()), newest=True)
        job_id = named.job.job_id
        place = await reading.log_reader.beginning(job_id, begin.get("tail"), after, attempt=attempt)
        if not place.nothing:
            source = reading.log_reader.read(job_id, place.cursor, attempt=attempt)
            async with (
                aclosing(source) as pieces,  # type: ignore[type-var]
                aclosing(first_lines(place.head, pieces, begin.get("tail"))) as found,
            ):
                async for data in found:
                    write(data)
        return newest_header(named)

    return _run(config, copy)


def _run(config: str | None, question: Callable[[Reading], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with open_reading(load_settings(config), lambda text: click.echo(f"({text})", err=True)) as reading:
            return await question(reading)

    try:
        return trio.run(ask)
    except Refused as error:
        raise refusal(error) from None
    except (StateDirectoryError, StoreError) as error:
        raise Failed(str(error)) from None
