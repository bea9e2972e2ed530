"""Idempotency keys: which were used, and for which job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from actors.store.prepared import Prepared
from actors.store.schema import idempotency_keys

_KEYS = idempotency_keys.c
_THIS = (_KEYS.user_id == bindparam("user_id"), _KEYS.key == bindparam("key"))
_BY_KEY = Prepared(select(_KEYS.job_id, _KEYS.fingerprint, _KEYS.created_at).where(*_THIS))
_FREED = Prepared(delete(idempotency_keys).where(*_THIS))
_RESERVED = Prepared(insert(idempotency_keys))


def used(
    connection: Connection, pairs: Sequence[tuple[str, str]], since: datetime | None
) -> dict[tuple[str, str], tuple[str, str]]:
    """The job and fingerprint of each of ``pairs`` (user, key) that was used after ``since`` (None: ever)."""
    found = {}
    for user_id, key in pairs:
        row = _BY_KEY.one(connection, user_id=user_id, key=key)
        if row is not None and (since is None or row[2] > since):
            found[user_id, key] = (row[0], row[1])
    return found


def reserve(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Bind keys to their jobs; one that was used too long ago is bound anew."""
    _FREED.run_many(connection, rows)
    _RESERVED.run_many(connection, rows)
