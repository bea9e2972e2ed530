"""Removing what is older than the retention (C6): a bounded number of rows in each transaction, and nothing during a
hold.

The events of a removed job are removed too, so event numbers have no gap when they are written but may have gaps in
what is left. Readers resume from what follows a number, never from that number plus one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import Hold, PruneResult, too_many
from actors.jobs.statuses import TERMINAL_JOBS, QueueStatus
from actors.ledger.keys import KEY_LIFETIME
from actors.store import Transaction, holds, names, retention, text_search
from actors.store.retention import Ended, Removed

__all__ = [
    "Ended", "Removed", "Review", "check_free", "drop_keys", "drop_notifications", "merge_texts", "outlook",
    "release_hold", "remove", "remove_one", "review",
]  # fmt: skip


@attrs.frozen
class Review:
    """Whether a pass may remove anything. ``hold``: what prevents it, None if nothing does.

    ``old``: jobs that would be removed. ``warn``: for the first time during this hold it prevents a removal.
    """

    hold: Hold | None
    old: int
    warn: bool = False


def review(tx: Transaction, old: int, kept: int, *, ran: float = 0.0) -> Review:
    """Before each pass: counts the running time, ends a hold that is over, begins one where too much would go.

    ``old`` of ``kept`` jobs would go, which was counted before: that takes long where they are many, and writers would
    wait. ``ran``: seconds run since the last review.
    """
    stored = holds.read(tx.connection)
    hold = stored.after(ran) if stored is not None else None
    much = too_many(old, kept)
    if hold is None and much is not None:
        hold = Hold(much, tx.now)
    if hold is None:
        return Review(None, old)
    if hold.over:
        if much is None:  # what it held has gone, or there was nothing: the next one begins as any other
            holds.drop(tx.connection)
        elif hold != stored:
            holds.write(tx.connection, hold, tx.now)
        return Review(None, old)
    keeps = old > 0 or retention.has_old_key(tx.connection, tx.now - KEY_LIFETIME)
    after = attrs.evolve(hold, warned=hold.warned or keeps)
    if after != stored:
        holds.write(tx.connection, after, tx.now)
    return Review(after, old, warn=after.warned and not hold.warned)


def release_hold(tx: Transaction) -> None:
    """End a hold by hand: the pass that follows removes whatever is old, however much."""
    hold = holds.read(tx.connection) or Hold("released by hand", tx.now)
    holds.write(tx.connection, attrs.evolve(hold, over=True), tx.now)


def remove(tx: Transaction, before: datetime, job_ids: Sequence[str]) -> Removed:
    """Remove those of ``job_ids`` that ended ``before``, with all that is theirs."""
    return retention.remove(tx.connection, before, job_ids, tx.now)


def merge_texts(tx: Transaction, pages: int) -> None:
    """Merge a piece of what removals leave in the index of texts: so many pages."""
    text_search.merge(tx.connection, pages)


def remove_one(tx: Transaction, job_id: str) -> Removed:
    """Remove an ended job with all that is its own. Raises :class:`Refused` where it may not go now."""
    check_free(tx.connection, job_id)
    return retention.remove_free(tx.connection, [job_id], tx.now)


def check_free(connection: Connection, job_id: str) -> None:
    """Raises :class:`Refused` where something still needs an ended job, or may still change it, and says what."""
    found = names.of_ids(connection, [job_id]).get(job_id)
    if found is None:
        raise Refused(f"there is no job {job_id!r:.80}", RefusalKind.NOT_FOUND)
    if found.status not in TERMINAL_JOBS:
        raise Refused(f"job {job_id} has not ended ({found.status}); cancel it first")
    if (key := retention.unsettled(connection, job_id)) is not None:
        raise Refused(f"job {job_id}: what became of its submission {key} is not settled yet")
    if (other := retention.dependant(connection, job_id)) is not None:
        name = names.of_ids(connection, [other[0]])[other[0]].name
        called = other[0] if name is None else f"{name} ({other[0]})"
        doing = "is running" if other[1] == QueueStatus.RUNNING else f"is still {other[1]}"
        raise Refused(f"job {job_id} is needed: {called}, which waited for it, {doing}")
    if not retention.is_passed_on(connection, job_id):
        raise Refused(f"job {job_id}: its end is still being passed on to jobs that wait for it; try again")


def drop_keys(tx: Transaction, limit: int) -> int:
    """Remove idempotency keys that no longer bind, at most ``limit`` of them: how many (B20).

    None during a hold, which may have begun since the pass began, even in this transaction: all keys bind then (C6).
    """
    if holds.current(tx.connection) is not None:
        return 0
    return retention.remove_keys(tx.connection, tx.now - KEY_LIFETIME, limit)


def drop_notifications(tx: Transaction, before: datetime, limit: int) -> int:
    """Remove notifications of no single job that were written ``before``, at most ``limit`` of them: how many."""
    return retention.remove_notifications(tx.connection, before, limit)


def outlook(connection: Connection, before: datetime | None) -> PruneResult:
    """What a pruning would remove, should every provider forget, and what would keep it from doing so."""
    stored = holds.read(connection)
    hold = holds.current(connection)
    if before is None:
        return PruneResult(None, held=None if hold is None else hold.in_words())
    jobs, events, oldest = retention.count(connection, before)
    if stored is None and (much := too_many(*retention.share(connection, before))) is not None:
        hold = Hold(much, before)
    return PruneResult(before, jobs, events, oldest=oldest, held=None if hold is None else hold.in_words())
