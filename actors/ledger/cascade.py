"""What follows from the end of a job that others wait for: they are counted down, or cancelled, and so on down.

The transaction that ends such a job only puts it on a list (:func:`actors.ledger.base.advance`). The scheduler works
the list off, before it decides in the same transaction, a batch at a time: so neither a chain nor a fan of thousands
holds the writer for long, and a small one is followed at once. The list is rows: a kill between two batches loses
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.jobs.dependencies import Parent, bad_end, breaks
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import WAITING_ENTRIES, QueueStatus
from actors.ledger.base import Pair, advance, load_many
from actors.ledger.doubts import close_request
from actors.store import Transaction, dependencies, eligible

BATCH = 250
"""Rows of dependencies that one transaction closes at most."""

CANCEL = 5
"""A job that is cancelled counts as so many rows: it is written, with its event."""

PARENTS = 50
"""Ended jobs that share a batch, so that one with thousands of dependants does not hold up the others' few."""


def follow_ends(tx: Transaction) -> None:
    """Work off a batch of the list."""
    left = BATCH
    while left > 0 and (ended := dependencies.work_list(tx.connection, PARENTS)):
        share = max(1, left // len(ended))
        for parent_id in ended:
            left -= _follow(tx, parent_id, share)


def _follow(tx: Transaction, parent_id: str, share: int) -> int:
    """Close at most ``share`` rows of one ended job; what that counts as in the batch."""
    parent = dependencies.ended_parent(tx.connection, parent_id)
    is_bad = breaks(parent.status, "ok")
    most = max(1, share // CANCEL) if is_bad else share
    waiting = dependencies.open_dependants(tx.connection, parent_id, most)
    going_on, cancelled = _cancel(tx, parent, waiting) if is_bad else (waiting, ())
    dependencies.close(tx.connection, parent, waiting, cancelled)
    eligible.count_down(tx.connection, going_on, tx.now, tx.next_order)
    if len(waiting) < most:
        dependencies.done(tx.connection, parent_id)
    return 1 + len(waiting) * (CANCEL if is_bad else 1)


def _cancel(tx: Transaction, parent: Parent, waiting: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Cancel those that wait for a good end of ``parent``: which are to be counted down, and which were cancelled.

    A job whose row is damaged is neither: nobody knows whether it may start.
    """
    going_on, cancelled = [], []
    for job_id, pair in load_many(tx, waiting).items():
        if not breaks(parent.status, pair.job.request.after_mode):
            going_on.append(job_id)
        elif pair.entry.status in WAITING_ENTRIES:
            _end(tx, pair, parent)
            cancelled.append(job_id)
    return going_on, cancelled


def _end(tx: Transaction, pair: Pair, parent: Parent) -> None:
    why = bad_end(parent)
    if pair.entry.status is QueueStatus.BLOCKED:
        close_request(tx, pair.job.job_id, why)
    changes = {"error_message": why}
    advance(tx, pair, Trigger.PARENT_FAILED, job=changes, entry=changes, data={"parent_id": parent.job_id})
