"""What may happen to a job, by whom: an independent table, written by hand from the promises.

It is not made from ``actors.jobs.lifecycle`` (a test compares both), so that the runtime is not checked against itself.
B12 to B14 say what a hand-over and a cancel lead to, B5 and B17 what a provider may report, B15 and B16 what a deadline
does, E3 what follows from a parent's end, E13 what runs again.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

State = tuple[str, str]
"""The states of a job and of its queue entry."""

NEW: State = ("new", "new")
BLOCKED: State = ("pending", "blocked")
ENDED = frozenset({"completed", "failed", "cancelled"})


class By(StrEnum):
    """Who may cause a change."""

    CLIENT = "a client's request"
    APPROVER = "an approver's decision"
    DEADLINE = "the deadline of an approval"
    PARENT = "the end of a job that it waits for"
    SCHEDULER = "a free slot"
    ANSWER = "the answer to its submission"
    PROVIDER = "what its run did"
    RESTORE = "a restore from a backup"


class Follows(NamedTuple):
    """One change: the event that tells of it, the states after it, and who may cause it."""

    event: str
    state: State
    by: tuple[By, ...]


_QUEUED = Follows("job_status_changed", ("queued", "running"), (By.PROVIDER,))
_RUNNING = Follows("job_status_changed", ("running", "running"), (By.PROVIDER,))
_COMPLETED = Follows("job_status_changed", ("completed", "completed"), (By.PROVIDER,))
_FAILED = Follows("job_status_changed", ("failed", "failed"), (By.PROVIDER,))
_CANCELLED = Follows("job_status_changed", ("cancelled", "cancelled"), (By.CLIENT, By.PROVIDER))
_AGAIN = Follows("job_rerun", ("pending", "pending"), (By.PROVIDER,))
_NOT_STARTED = Follows("job_status_changed", ("cancelled", "cancelled"), (By.CLIENT, By.PARENT))
_RESTORED = Follows("job_restored", ("uploading", "running"), (By.RESTORE,))

MAY_FOLLOW: Mapping[State, tuple[Follows, ...]] = {
    NEW: (
        Follows("job_queued", ("pending", "pending"), (By.CLIENT,)),
        Follows("approval_requested", ("pending", "blocked"), (By.CLIENT,)),
    ),
    BLOCKED: (
        Follows("approval_granted", ("pending", "pending"), (By.APPROVER,)),
        Follows("approval_rejected", ("cancelled", "failed"), (By.APPROVER,)),
        Follows("approval_expired", ("cancelled", "failed"), (By.DEADLINE,)),
        _NOT_STARTED,
        _RESTORED,
    ),
    ("pending", "pending"): (
        Follows("job_dispatched", ("uploading", "running"), (By.SCHEDULER,)),
        _NOT_STARTED,
        _RESTORED,
    ),
    ("uploading", "running"): (
        Follows("job_requeued", ("pending", "pending"), (By.ANSWER,)),
        Follows("job_requeued", ("pending", "blocked"), (By.RESTORE,)),
        Follows("job_status_changed", ("failed", "failed"), (By.ANSWER, By.PROVIDER)),
        _QUEUED, _RUNNING, _COMPLETED, _CANCELLED, _AGAIN,
    ),
    ("queued", "running"): (_RUNNING, _COMPLETED, _FAILED, _CANCELLED, _AGAIN),
    ("running", "running"): (_COMPLETED, _FAILED, _CANCELLED, _AGAIN),
    # Nothing leaves these; an expired or rejected approval leaves a failed entry and a cancelled job.
    ("completed", "completed"): (),
    ("failed", "failed"): (),
    ("cancelled", "cancelled"): (),
    ("cancelled", "failed"): (),
}  # fmt: skip

CHANGES = frozenset(one.event for follows in MAY_FOLLOW.values() for one in follows)
"""Types of events that tell of a change of states."""

NO_CHANGE = frozenset(
    {
        "job_handed_over", "job_progress", "job_outcome_unknown", "job_uncertain", "job_settled",
        "job_cancel_requested", "job_priority_changed",
    }
)  # fmt: skip
"""Types of events about a job that change no state."""


def following(before: State, event: str, status: object, *, blocked: bool = False) -> Follows | None:
    """What happened, by an event of this type that says ``status``; None: it may not happen.

    ``blocked``: where it may be either, its entry waits for an approval again (a restore took it for one that runs).
    """
    found = [one for one in MAY_FOLLOW[before] if one.event == event and one.state[0] == status]
    if len(found) > 1:
        found = [one for one in found if (one.state[1] == "blocked") == blocked]
    return found[0] if len(found) == 1 else None
