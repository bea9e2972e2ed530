"""Removing what was kept long enough (C6): a bounded number of rows in each transaction, and nothing during a hold.

A removed job's events go with it, so event numbers have no gap as they are written and may have some where one reads
what is left. Readers resume from what follows a number, never from that number plus one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.retention import Hold, PruneResult, too_many
from actors.ledger.submit import KEY_LIFETIME
from actors.store import Transaction, holds, retention
from actors.store.retention import Ended

__all__ = ["DroppingKeys", "Ended", "ReleasingHold", "Removing", "Review", "Reviewing", "ended", "outlook"]


@attrs.frozen
class Review:
    """Whether a pass may remove anything. ``hold``: what forbids it, None where nothing does.

    ``old``: jobs that would go. ``tell``: for the first time during this hold there is something that it keeps.
    """

    hold: Hold | None
    old: int = 0
    tell: bool = False


@attrs.frozen
class Reviewing:
    """The closure before each pass: counts the running time, ends a hold that is over, begins one where too much goes.

    ``before``: jobs that ended earlier are meant, None: none. ``ran``: seconds run since the last review.
    """

    before: datetime | None
    ran: float = 0.0

    def __call__(self, tx: Transaction) -> Review:
        stored = holds.read(tx.connection)
        hold = stored.after(self.ran) if stored is not None else None
        old, kept = retention.share(tx.connection, self.before) if self.before is not None else (0, 0)
        much = too_many(old, kept)
        if hold is None and much is not None:
            hold = Hold(much, tx.now)
        if hold is not None and hold.over:
            if much is None:  # what it held has gone, or there was nothing: the next one begins as any other
                holds.drop(tx.connection)
            elif hold != stored:
                holds.write(tx.connection, hold, tx.now)
            return Review(None, old)
        if hold is None:
            return Review(None, old)
        keeps = old > 0 or retention.has_old_key(tx.connection, tx.now - KEY_LIFETIME)
        after = attrs.evolve(hold, told=hold.told or keeps)
        if after != stored:
            holds.write(tx.connection, after, tx.now)
        return Review(after, old, tell=after.told and not hold.told)


@attrs.frozen
class ReleasingHold:
    """The closure by which a person ends a hold: the pass that follows removes whatever is old, however much."""

    def __call__(self, tx: Transaction) -> None:
        hold = holds.read(tx.connection) or Hold("released by hand", tx.now)
        holds.write(tx.connection, attrs.evolve(hold, over=True), tx.now)


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


def outlook(before: datetime | None) -> Callable[[Connection], PruneResult]:
    """What a pruning would remove, should every provider forget, and what would keep it from doing so."""

    def query(connection: Connection) -> PruneResult:
        stored = holds.read(connection)
        hold = holds.current(connection)
        if before is None:
            return PruneResult(None, held=None if hold is None else hold.in_words())
        jobs, events, oldest = retention.count(connection, before)
        if stored is None and (much := too_many(*retention.share(connection, before))) is not None:
            hold = Hold(much, before)
        return PruneResult(before, jobs, events, oldest=oldest, held=None if hold is None else hold.in_words())

    return query
