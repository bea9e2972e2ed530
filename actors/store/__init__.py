"""Rows and transactions: one SQL implementation, what differs by database in ``dialect``."""

from actors.store.errors import StoreBusy, StoreError, StoreTooNew, StoreUnavailable
from actors.store.executor import Executor, InlineExecutor, SharedExecutor, ThreadExecutor, caller
from actors.store.store import Store
from actors.store.transaction import Transaction

__all__ = [
    "Executor",
    "InlineExecutor",
    "SharedExecutor",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreTooNew",
    "StoreUnavailable",
    "ThreadExecutor",
    "Transaction",
    "caller",
]
