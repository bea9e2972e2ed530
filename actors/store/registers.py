"""Small tables: what was changed at run time, which providers are closed, which keys were used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import attrs
from sqlalchemy import Connection, Select, delete, select, tuple_

from actors.store.dialect import begins_with, upsert
from actors.store.schema import idempotency_keys, provider_gates, settings

EVERY = "*"
"""The gate of the queue as a whole; no provider is named so."""


@attrs.frozen
class Gate:
    """Whether a provider may be called: paused until a person resumes it, or closed until a moment.

    ``closed_seconds``: how long the wait is that ends at ``closed_until``.
    """

    provider: str
    paused_reason: str | None = None
    closed_until: datetime | None = None
    closed_reason: str | None = None
    failures: int = 0
    closed_seconds: float | None = None

    def closed(self, now: datetime) -> str | None:
        """Why nothing may be dispatched there at ``now``; None when it may."""
        if self.paused_reason is not None:
            what = "the queue" if self.provider == EVERY else f"provider {self.provider}"
            return f"{what} is paused: {self.paused_reason}"
        if self.closed_until is not None and self.closed_until > now:
            return f"provider {self.provider} is not asked before {self.closed_until:%H:%M:%S}: {self.closed_reason}"
        return None


_GATES = select(provider_gates)


def gates(connection: Connection) -> dict[str, Gate]:
    """The gates of all providers that ever had one changed."""
    return {row.provider: Gate(**row._asdict()) for row in connection.execute(_GATES)}


def closed(connection: Connection, names: Iterable[str], now: datetime) -> dict[str, str | None]:
    """For each of these providers why nothing may be dispatched there; None when something may."""
    found = gates(connection)
    queue = found[EVERY].closed(now) if EVERY in found else None
    return {name: queue or (found[name].closed(now) if name in found else None) for name in names}


def put_gate(connection: Connection, gate: Gate) -> None:
    """Write a gate."""
    connection.execute(upsert(provider_gates, ("provider",), attrs.asdict(gate)))


def stored_settings(connection: Connection, prefix: str) -> dict[str, Any]:
    """The stored values whose names begin with ``prefix``."""
    return {row.name: row.value["value"] for row in connection.execute(_settings_under(prefix))}


@cache
def _settings_under(prefix: str) -> Select[Any]:
    return select(settings).where(begins_with(settings.c.name, prefix))


def put_setting(connection: Connection, name: str, value: object, now: datetime, by: str | None) -> None:
    """Keep a value that was changed at run time."""
    row = {"name": name, "value": {"value": value}, "changed_at": now, "changed_by": by}
    connection.execute(upsert(settings, ("name",), row))


def drop_settings(connection: Connection, names: Iterable[str]) -> None:
    """Forget stored values, so that the configured ones hold again."""
    connection.execute(delete(settings).where(settings.c.name.in_(list(names))))


def used_keys(
    connection: Connection, pairs: Sequence[tuple[str, str]], since: datetime | None
) -> dict[tuple[str, str], Any]:
    """The idempotency keys among ``pairs`` (user, key) that were used after ``since`` (None: ever), with job and
    fingerprint.
    """
    if not pairs:
        return {}
    both = tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key)
    query = select(idempotency_keys).where(both.in_(list(pairs)))
    if since is not None:
        query = query.where(idempotency_keys.c.created_at > since)
    return {(row.user_id, row.key): row for row in connection.execute(query)}


def reserve_keys(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Bind keys to their jobs; one that was used too long ago is bound anew."""
    if not rows:
        return
    pairs = [(row["user_id"], row["key"]) for row in rows]
    connection.execute(
        delete(idempotency_keys).where(tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key).in_(pairs))
    )
    connection.execute(idempotency_keys.insert(), list(rows))
