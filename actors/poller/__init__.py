"""The poller: observes, cancels and settles the jobs that were handed to providers, until they end."""

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
