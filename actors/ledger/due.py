"""What is due in the queue before the scheduler decides, and when the next such thing is due."""

from __future__ import annotations

from datetime import datetime

from actors.ledger.cascade import follow_ends
from actors.store import Transaction, eligible, queue

STARTS = 500
"""The most entries whose ``start_after`` has passed that one transaction releases."""


def up_to_date(tx: Transaction) -> queue.Outlook:
    """The waiting entries, after ended jobs were followed and what is due was released; at most a batch of each."""
    outlook = queue.outlook(tx.connection)
    starts, released = _is_due(tx, outlook.start), _is_due(tx, outlook.release)
    if not (outlook.ended or starts or released):
        return outlook
    if outlook.ended:
        follow_ends(tx)
    if starts:
        eligible.release_starting(tx.connection, tx.now, tx.next_order, STARTS)
    if released:
        queue.release_due(tx.connection, tx.now)
    return queue.outlook(tx.connection)


def next_due(tx: Transaction, outlook: queue.Outlook) -> datetime | None:
    """When something of this is due next; now if a batch left some of it."""
    moments = [tx.now] if outlook.ended else [one for one in (outlook.release, outlook.start) if one is not None]
    return min(moments, default=None)


def _is_due(tx: Transaction, moment: datetime | None) -> bool:
    return moment is not None and moment <= tx.now
