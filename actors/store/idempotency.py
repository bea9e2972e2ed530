"""Idempotency keys: which were used, and for which job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text

from actors.store.prepared import Prepared
from actors.store.schema import idempotency_keys

LIMITED = text("NOT kept_with_job")
"""Of keys that do not hold as long as their jobs; written out, as the index of these alone asks for."""
_KEYS = idempotency_keys.c
_THIS = (_KEYS.user_id == bindparam("user_id"), _KEYS.key == bindparam("key"))
_BY_KEY = Prepared(select(_KEYS.job_id, _KEYS.fingerprint, _KEYS.created_at, _KEYS.kept_with_job).where(*_THIS))
_BETWEEN = Prepared(
    select(_KEYS.key, _KEYS.job_id).where(
        _KEYS.user_id == bindparam("user_id"), _KEYS.key >= bindparam("first"), _KEYS.key < bindparam("end")
    )
)
_FREED = Prepared(delete(idempotency_keys).where(*_THIS))
_RESERVED = Prepared(insert(idempotency_keys))


def used(
    connection: Connection, pairs: Sequence[tuple[str, str]], since: datetime | None
) -> dict[tuple[str, str], tuple[str, str]]:
    """The job and fingerprint of each of ``pairs`` (user, key) that is bound.

    It was used after ``since`` (None: ever), or is kept with its job.
    """
    found = {}
    for user_id, key in pairs:
        row = _BY_KEY.one(connection, user_id=user_id, key=key)
        if row is not None and (since is None or row[3] or row[2] > since):
            found[user_id, key] = (row[0], row[1])
    return found


def beginning_with(connection: Connection, user_id: str, prefix: str) -> dict[str, str]:
    """The keys of a user that begin with ``prefix``, each with its job."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    found = _BETWEEN.all(connection, user_id=user_id, first=prefix, end=end)
    return {key: job_id for key, job_id in found}  # noqa: C416 - for mypy these are rows of any length


def reserve(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Bind keys to their jobs; one that is bound is bound anew."""
    _FREED.run_many(connection, rows)
    _RESERVED.run_many(connection, rows)
