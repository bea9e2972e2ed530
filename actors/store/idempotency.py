"""Idempotency keys: which were used, and for which job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_

from actors.store.schema import idempotency_keys


def used(
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


def reserve(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Bind keys to their jobs; one that was used too long ago is bound anew."""
    if not rows:
        return
    pairs = [(row["user_id"], row["key"]) for row in rows]
    connection.execute(
        delete(idempotency_keys).where(tuple_(idempotency_keys.c.user_id, idempotency_keys.c.key).in_(pairs))
    )
    connection.execute(idempotency_keys.insert(), list(rows))
