"""The state of the restore that a runtime began with, and jobs at providers that the backup does not know."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import trio
from sqlalchemy import Connection

from actors.control.context import Subject
from actors.providers.abilities import ListedJob
from actors.providers.guard import Failure
from actors.store import names, restored
from actors.store.restored import Restore as LastRestore
from actors.store.state_directory import holder


@attrs.frozen
class UnknownJob:
    """A job that a provider runs and that has no row, because it was submitted after the backup was made."""

    provider: str
    key: str
    name: str


@attrs.frozen
class RestoreView:
    """Which runtime this is and, if it was restored, the last restore.

    ``to_look_up``: how many jobs each provider is still to be asked about. ``unknown_jobs``: jobs at providers that
    have no row; ``not_listed``: why that is not known, by provider. ``original_held_by``: the supervisor that runs in
    the original's directory, in words, if that directory is on this machine.
    """

    instance_id: str | None
    restored: LastRestore | None = None
    to_look_up: Mapping[str, int] = attrs.field(factory=dict)
    unknown_jobs: tuple[UnknownJob, ...] = ()
    not_listed: Mapping[str, str] = attrs.field(factory=dict)
    original_held_by: str | None = None


class Restore(Subject):
    """The restore of one runtime."""

    async def to_look_up(self) -> dict[str, int]:
        """How many restored jobs each provider is still to be asked about."""
        return await self._ledger.read(restored.numbers_to_look_up)

    async def view(self) -> RestoreView:
        """The state of the restore. Providers are asked for their jobs only if there was one; nothing is cancelled."""
        instance_id = await self._ledger.read(restored.instance_id)
        last = await self._ledger.read(restored.last)
        if last is None:
            return RestoreView(instance_id)
        unknown: list[UnknownJob] = []
        not_listed: dict[str, str] = {}
        for name, provider in self._context.providers.items():
            listed = await provider.list_jobs()
            if listed is None or isinstance(listed, Failure):
                not_listed[name] = "it cannot list what it runs" if listed is None else listed.message
            else:
                unknown += await self._ledger.read(_unknown, name, listed)
        held_by = await trio.to_thread.run_sync(_held_by, Path(last.original), self._ledger.store.path)
        return RestoreView(instance_id, last, await self.to_look_up(), tuple(unknown), not_listed, held_by)


def _held_by(original: Path, database: Path | None) -> str | None:
    """Who holds the original's directory, if it is another one than ours."""
    try:
        if database is not None and original.samefile(database.parent):
            return None
    except OSError:
        return None
    return holder(original)


def _unknown(connection: Connection, provider: str, listed: list[ListedJob]) -> list[UnknownJob]:
    known = names.of_ids(connection, {_job_of(one.key) for one in listed})
    return [UnknownJob(provider, one.key, one.name) for one in listed if _job_of(one.key) not in known]


def _job_of(key: str) -> str:
    return key.rpartition("-")[0] or key
