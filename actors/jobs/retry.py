"""What follows from a submission that did not succeed, by the kind of failure.

A fault of the request ends the job. A fault of the account or of the service closes the provider and costs the job
nothing. If the outcome is unknown, the job keeps its slot. Everything else is tried again, a bounded number of times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from actors.jobs.lifecycle import Trigger
from actors.jobs.records import QueueEntry

PROVIDER_DELAY = 1.0
PROVIDER_DELAY_CAP = 60.0
"""Seconds for which a provider that could not be reached is not called: the first time, and at the most."""

ENTRY_DELAY = 10.0
ENTRY_DELAY_CAP = 600.0
"""Seconds before a failed entry's second attempt, and at the most before a later one."""

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds that a provider may ask for; more than a day is taken for a mistake, not for a request."""

Jitter = Callable[[], float]
"""Gives a number from 0 to 1, so that those who failed together do not come back together."""


class FailureKind(StrEnum):
    """How a call to a provider failed."""

    INVALID = "invalid"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    OTHER = "other"


@attrs.frozen
class DispatchVerdict:
    """What happens to the entry and to its provider.

    ``wait``: seconds until ``not_before`` and ``close_provider_until``, if there is one.

    ``trigger``: requeue or fail; None if the outcome is ``unknown`` and the entry keeps its slot. ``attempt``: how many
    attempts were spent now. ``pause_provider``: the reason for which it is paused until somebody resumes it.
    ``close_provider_until``: when it may be called again automatically.
    """

    trigger: Trigger | None
    attempt: int
    not_before: datetime | None = None
    error_message: str | None = None
    pause_provider: str | None = None
    close_provider_until: datetime | None = None
    unknown: bool = False
    wait: float | None = None


def after_failed_dispatch(
    kind: FailureKind,
    message: str,
    entry: QueueEntry,
    now: datetime,
    retry_after: float | None,
    consecutive: int,
    jitter: Jitter,
) -> DispatchVerdict:
    """The verdict on one failed call.

    ``retry_after``: seconds the provider asked for, None where it did not. ``consecutive``: how many calls to that
    provider failed in a row before this one.
    """
    spent = entry.attempt
    match kind:
        case FailureKind.INVALID:
            return DispatchVerdict(Trigger.FAIL, spent, error_message=message)
        case FailureKind.OUTCOME_UNKNOWN:
            return DispatchVerdict(None, spent, error_message=message, unknown=True)
        case FailureKind.AUTH | FailureKind.FORBIDDEN:
            return DispatchVerdict(Trigger.REQUEUE, spent, error_message=message, pause_provider=message)
        case FailureKind.RATE_LIMITED | FailureKind.UNAVAILABLE:
            # The entry waits too: another entry's success may open the provider before this one's time has come.
            delay = _provider_delay(retry_after, consecutive, jitter)
            until = now + timedelta(seconds=delay)
            return DispatchVerdict(Trigger.REQUEUE, spent, until, message, close_provider_until=until, wait=delay)
        case FailureKind.OTHER:
            return _spend_attempt(message, entry, now, jitter)


def _spend_attempt(message: str, entry: QueueEntry, now: datetime, jitter: Jitter) -> DispatchVerdict:
    attempt = entry.attempt + 1
    failed_before = entry.attempt - entry.run_first_attempt  # in this run; a job that runs again begins anew
    if failed_before + 1 >= entry.max_attempts:
        return DispatchVerdict(Trigger.FAIL, attempt, error_message=message)
    delay = growing(ENTRY_DELAY, ENTRY_DELAY_CAP, failed_before, jitter)
    return DispatchVerdict(Trigger.REQUEUE, attempt, now + timedelta(seconds=delay), message, wait=delay)


def _provider_delay(retry_after: float | None, consecutive: int, jitter: Jitter) -> float:
    """What the provider asked for, within reason ("0" must not make a hot loop); else a delay of our own."""
    if retry_after is None or not math.isfinite(retry_after):
        return growing(PROVIDER_DELAY, PROVIDER_DELAY_CAP, consecutive, jitter)
    return min(max(retry_after, PROVIDER_DELAY), LONGEST_RETRY_AFTER)


def growing(first: float, cap: float, before: int, jitter: Jitter) -> float:
    """``first`` doubled for each time ``before``, at most ``cap``; half of it is random."""
    whole = min(cap, first * 2.0 ** min(before, 30))
    return whole / 2 + whole / 2 * jitter()
