"""What came of a delivery from outside: values, shared by the rows, the runtime and its edges."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

import attrs

REMEMBERED = timedelta(hours=24)
"""How long a delivery's id is kept: longer than any sender repeats one, and than any signature is good for."""


class DeliveryOutcome(StrEnum):
    """What was done about a delivery."""

    APPLIED = "applied"  # it was about a job of ours
    UNMATCHED = "unmatched"  # about none that is known by that name: what is unsettled is looked at
    REPEATED = "repeated"  # it was here before: nothing
    REJECTED = "rejected"  # it is not to be believed: nothing


@attrs.frozen
class Delivered:
    """A delivery as the rows took it. ``look_at``: keys of the jobs to be read back from the provider now."""

    outcome: DeliveryOutcome
    job_id: str | None = None
    correlation_id: str | None = None
    status: str | None = None
    look_at: tuple[str, ...] = ()
    note: tuple[int, str] | None = None
