"""Settings that were changed at run time; each wins over the configured value until it is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from actors.store import remembered
from actors.store.dialect import upsert
from actors.store.prepared import Prepared
from actors.store.schema import settings

_ALL = Prepared(select(settings.c.name, settings.c.value))


def read(connection: Connection, prefix: str) -> dict[str, Any]:
    """The stored values whose names begin with ``prefix``."""
    every: dict[str, Any] = remembered.read(connection, "settings", lambda: dict(_ALL.all(connection)))
    return {name: value["value"] for name, value in every.items() if name.startswith(prefix)}


def put(connection: Connection, name: str, value: object, now: datetime, by: str | None) -> None:
    """Keep a value that was changed at run time."""
    row = {"name": name, "value": {"value": value}, "changed_at": now, "changed_by": by}
    connection.execute(upsert(settings, ("name",), row))
    remembered.changed(connection)


def drop(connection: Connection, names: Iterable[str]) -> None:
    """Forget stored values, so that the configured ones hold again."""
    connection.execute(delete(settings).where(settings.c.name.in_(list(names))))
    remembered.changed(connection)
