"""The poller: watches, cancels and settles whatever has been handed to a provider, to its end."""

from actors.jobs.options import PollerOptions
from actors.poller.actor import WAKES, Look, Poller, Refresh
from actors.poller.switch import Switch, decide_polling

__all__ = ["WAKES", "Look", "Poller", "PollerOptions", "Refresh", "Switch", "decide_polling"]
