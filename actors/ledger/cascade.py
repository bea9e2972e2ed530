"""The consequences of the end of a job that others wait for: they are counted down or cancelled, and so are those
behind them.

The transaction that ends such a job only puts it on a list (:func:`actors.ledger.base.advance`). The scheduler handles
the list in batches, before it decides, in the same transaction: so neither a chain nor a fan of thousands holds the
writer for long, and a small one is handled at once. The list consists of rows: a kill between two batches loses
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.jobs.dependencies import Parent, bad_end, breaks
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import WAITING_ENTRIES, QueueStatus
from actors.ledger.base import Pair, advance, load_many
from actors.ledger.uncertain import close_request
from actors.store import Transaction, dependencies, eligible

BATCH = 250
"""The most rows of dependencies that one transaction closes."""

CANCEL = 5
"""The number of rows for which a cancelled job counts, because it is written, with its event."""

PARENTS = 50
"""The most ended jobs of one batch, so that one with thousands of dependants does not delay the few of others."""


def follow_ends(tx: Transaction) -> None:
    """Handle a batch of the list."""
    left = BATCH
    while left > 0 and (ended := dependencies.work_list(tx.connection, PARENTS)):
        share = max(1, left // len(ended))
        for parent_id in ended:
            left -= _follow(tx, parent_id, share)


def _follow(tx: Transaction, parent_id: str, share: int) -> int:
    """Close at most ``share`` rows of one ended job. Returns for how many rows that counts in the batch."""
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
    """Cancel the jobs that need ``parent`` to complete. Returns which are to be counted down, and which were cancelled.

    A job with a damaged row is neither: nobody knows whether it may start. A restored job whose provider is still to be
    asked about it is neither, too: it may run there. If it has not, :func:`~actors.store.dependencies.reopen` follows.
    """
    going_on, cancelled = [], []
    for job_id, pair in load_many(tx, waiting).items():
        if not breaks(parent.status, pair.job.request.after_mode):
            going_on.append(job_id)
        elif pair.entry.status in WAITING_ENTRIES and pair.entry.restored is None:
            _end(tx, pair, parent)
            cancelled.append(job_id)
    return going_on, cancelled


def _end(tx: Transaction, pair: Pair, parent: Parent) -> None:
    why = bad_end(parent)
    if pair.entry.status is QueueStatus.BLOCKED:
        close_request(tx, pair.job.job_id, why)
    changes = {"error_message": why}
    advance(tx, pair, Trigger.PARENT_FAILED, job=changes, entry=changes, data={"parent_id": parent.job_id})
