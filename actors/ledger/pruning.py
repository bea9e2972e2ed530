"""Removing what was kept long enough (C6): a bounded number of rows in each transaction.

A removed job's events go with it, so event numbers have no gap as they are written and may have some where one reads
what is left. Readers resume from what follows a number, never from that number plus one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.retention import PruneResult
from actors.ledger.submitting import KEY_LIFETIME
from actors.store import Transaction, retention
from actors.store.retention import Ended

__all__ = ["DroppingKeys", "Ended", "Removing", "ended", "outlook"]


@attrs.frozen
class Removing:
    """The closure that removes ended jobs, all that belongs to them included: how many jobs, and events of theirs."""

    before: datetime
    job_ids: Sequence[str]

    def __call__(self, tx: Transaction) -> tuple[int, int]:
        return retention.remove(tx.connection, self.before, self.job_ids)


@attrs.frozen
class DroppingKeys:
    """The closure that removes idempotency keys that no longer bind, at most ``limit`` of them: how many (B20)."""

    limit: int

    def __call__(self, tx: Transaction) -> int:
        return retention.remove_keys(tx.connection, tx.now - KEY_LIFETIME, self.limit)


def ended(before: datetime, after: str, limit: int) -> Callable[[Connection], list[Ended]]:
    """Jobs that may go, from the one that follows id ``after`` on."""
    return lambda connection: retention.ended(connection, before, after, limit)


def outlook(before: datetime) -> Callable[[Connection], PruneResult]:
    """What a pruning would remove, should every provider forget."""

    def query(connection: Connection) -> PruneResult:
        jobs, events, oldest = retention.count(connection, before)
        return PruneResult(before, jobs, events, oldest=oldest)

    return query
