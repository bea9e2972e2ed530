"""The only package that changes jobs: one module for each subject; each function in it is one change or one query."""

from actors.ledger.dispatch import Claimed, Dispatch
from actors.ledger.ledger import Ledger, Sources
from actors.ledger.new_job import NewJob

__all__ = ["Claimed", "Dispatch", "Ledger", "NewJob", "Sources"]
