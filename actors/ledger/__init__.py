"""The one door by which a job changes. Closures by subject in the modules beside; :class:`Ledger` runs them."""

from actors.ledger.dispatch import Claimed, Dispatch
from actors.ledger.ledger import Ledger, Sources
from actors.ledger.submit import NewJob

__all__ = ["Claimed", "Dispatch", "Ledger", "NewJob", "Sources"]
