"""The poller: observes, cancels and settles submitted jobs until they end."""

from actors.jobs.options import PollerOptions
from actors.poller.actor import Poller, Refresh, Switch, decide_polling, slow_rounds
from actors.poller.poll_requests import PollNow, PollRequests

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
