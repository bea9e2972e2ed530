"""Rows and transactions: one SQL implementation; what differs by database is in ``dialect``.

Names are loaded when they are first used: the command line needs the state directory from here, and no SQLAlchemy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
_HOMES = {"Store": "store", "Transaction": "transaction"} | dict.fromkeys(
    ("StoreBusy", "StoreError", "StoreTooNew", "StoreUnavailable"), "errors"
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'executor')}"), name)
