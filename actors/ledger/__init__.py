"""The one door by which a job changes. Closures by subject in the modules beside; :class:`Ledger` runs them."""

from actors.ledger.dispatching import Claimed, Dispatch
from actors.ledger.ledger import Ledger, Sources
from actors.ledger.submitting import NewJob

__all__ = ["Claimed", "Dispatch", "Ledger", "NewJob", "Sources"]
