"""The outcomes of deliveries (webhooks received): values for the rows, the runtime and its servers."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import attrs

MOST_READ = 16 << 20
"""The most bytes of a delivery; a longer one is refused."""

REMEMBERED = timedelta(hours=24)
"""How long a delivery's id is kept: longer than any sender repeats a delivery, and than any signature is valid."""


class DeliveryOutcome(StrEnum):
    """What was done about a delivery."""

    APPLIED = "applied"  # it was about a job of ours
    UNMATCHED = "unmatched"  # about none that is known by that name: what is unsettled is looked at
    DAMAGED = "damaged"  # about a job whose row cannot be read, which was reported: nothing
    REPEATED = "repeated"  # it was here before: nothing
    UNREADABLE = "unreadable"  # signed, and too long or too odd to be read: its job is looked at
    REJECTED = "rejected"  # it was not verified as genuine: nothing
    UNVERIFIED = "unverified"  # it could not be verified now: the sender may try again
    TOO_LONG = "too_long"  # longer than anything that is read
    TOO_SLOW = "too_slow"  # it did not come whole in time
    CUT_SHORT = "cut_short"  # its sender went away


class DeliveryNotRead(Exception):
    """Raised if a delivery's body must not be read any further; ``outcome`` says why."""

    def __init__(self, outcome: DeliveryOutcome) -> None:
        self.outcome = outcome


@attrs.frozen
class Delivered:
    """A delivery as the rows took it. ``look_at``: keys of the jobs to be read back from the provider now."""

    outcome: DeliveryOutcome
    job_id: str | None = None
    correlation_id: str | None = None
    status: str | None = None
    look_at: tuple[str, ...] = ()
    note: tuple[int, str] | None = None
