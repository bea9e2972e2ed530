"""The only package that changes jobs: one module a subject, in each of which a function is one change or one query."""

from actors.ledger.dispatch import Claimed, Dispatch
from actors.ledger.ledger import Ledger, Sources
from actors.ledger.new_job import NewJob

__all__ = ["Claimed", "Dispatch", "Ledger", "NewJob", "Sources"]
