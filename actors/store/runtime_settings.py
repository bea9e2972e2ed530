"""Settings that were changed at run time; each wins over the configured value until it is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from actors.store.dialect import begins_with, upsert
from actors.store.schema import settings


def read(connection: Connection, prefix: str) -> dict[str, Any]:
    """The stored values whose names begin with ``prefix``."""
    return {row.name: row.value["value"] for row in connection.execute(_settings_under(prefix))}


@cache
def _settings_under(prefix: str) -> Select[Any]:
    return select(settings).where(begins_with(settings.c.name, prefix))


def put(connection: Connection, name: str, value: object, now: datetime, by: str | None) -> None:
    """Keep a value that was changed at run time."""
    row = {"name": name, "value": {"value": value}, "changed_at": now, "changed_by": by}
    connection.execute(upsert(settings, ("name",), row))


def drop(connection: Connection, names: Iterable[str]) -> None:
    """Forget stored values, so that the configured ones hold again."""
    connection.execute(delete(settings).where(settings.c.name.in_(list(names))))
