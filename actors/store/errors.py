"""The errors of the store. Each says what to do."""

from __future__ import annotations


class StoreError(Exception):
    """The store could not do what was asked; nothing of that transaction is kept."""


class StoreBusy(StoreError):
    """Another process holds the database; the transaction was tried a bounded number of times."""


class StoreUnavailable(StoreError):
    """The database cannot be read or written at all: full disk, read-only directory, damaged or foreign file."""


class StoreClosed(StoreError):
    """The store is not open: its runtime has ended, or is starting it again."""


class DamagedRow(StoreError):
    """A row holds what no version of this program writes there; the others can be read."""


class StoreTooNew(StoreError):
    """The database was written by a newer Greenroom than this one."""


class ReadTooSlow(StoreError):
    """A read for a person took longer than it may and was ended; smaller ones may be asked."""
