"""When an approval request expires, the texts for that, and when to look for the next one."""

from __future__ import annotations

from datetime import datetime

from actors.jobs.records import ApprovalRequest, ApprovalStatus

EXPIRED_ENTRY = "Approval request expired (auto-rejected after timeout)"
"""The message of the queue entry of an expired request."""


def duration_in_words(seconds: float) -> str:
    """``24 hours``, ``90 minutes``, ``1 hour``, ``4.5 seconds``: in the largest of these units that is exact."""
    seconds = round(seconds, 3)  # hours given as a fraction are seldom a whole number of seconds in binary
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return _counted(seconds / length, unit)
    return _counted(seconds, "second")


def _counted(number: float, unit: str) -> str:
    written = f"{number:.3f}".rstrip("0").rstrip(".")
    return f"{written} {unit}" + ("" if number == 1 else "s")


def expired_job_message(timeout_seconds: float) -> str:
    """The message of the job of an expired request, with the actual time-out."""
    return f"Approval request expired after {duration_in_words(timeout_seconds)}"


def is_expired(request: ApprovalRequest, now: datetime) -> bool:
    """Whether ``request`` is still open and its deadline has come; at the deadline itself it has."""
    return request.status is ApprovalStatus.PENDING and now >= request.expires_at
