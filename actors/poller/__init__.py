"""The poller: watches, cancels and settles whatever has been handed to a provider, to its end."""

from actors.jobs.options import PollerOptions
from actors.poller.actor import Poller, Refresh, slow_rounds
from actors.poller.poll_requests import PollNow, PollRequests
from actors.poller.switch import Switch, decide_polling

__all__ = [
    "PollNow",
    "PollRequests",
    "Poller",
    "PollerOptions",
    "Refresh",
    "Switch",
    "decide_polling",
    "slow_rounds",
]
