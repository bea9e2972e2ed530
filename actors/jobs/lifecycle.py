"""The table of transitions, by which a job and its queue entry change together.

A job and its entry are separate records, but they change in one transaction. Each row below is one thing that can
happen: from which pairs of states it may happen, to which pair it leads, and which event reports it. What is in no row
cannot happen: nothing leaves a terminal state, and no step goes back.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from actors.jobs.events import EventType
from actors.jobs.records import JobStatus as Job
from actors.jobs.records import Phase
from actors.jobs.records import QueueStatus as Entry


class Trigger(StrEnum):
    """What can happen to a job."""

    SUBMIT = "submit"
    SUBMIT_FOR_APPROVAL = "submit_for_approval"
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    CANCEL_WAITING = "cancel_waiting"
    PARENT_FAILED = "parent_failed"
    CLAIM = "claim"
    REQUEUE = "requeue"
    FAIL = "fail"
    OBSERVE_QUEUED = "observe_queued"
    OBSERVE_RUNNING = "observe_running"
    OBSERVE_COMPLETED = "observe_completed"
    OBSERVE_FAILED = "observe_failed"
    OBSERVE_CANCELLED = "observe_cancelled"
    RERUN = "rerun"
    RESTORE = "restore"
    RESTORE_BLOCKED = "restore_blocked"


@attrs.frozen
class Step:
    """The states after something happened, and the type of the event that reports it."""

    job: Job
    entry: Entry
    event: EventType


Pair = tuple[Job | None, Entry | None]

_NEW: tuple[Pair, ...] = ((None, None),)
_QUEUED: tuple[Pair, ...] = ((Job.PENDING, Entry.PENDING),)
_BLOCKED: tuple[Pair, ...] = ((Job.PENDING, Entry.BLOCKED),)
_CLAIMED: tuple[Pair, ...] = ((Job.UPLOADING, Entry.RUNNING),)
_UPSTREAM: tuple[Pair, ...] = ((Job.QUEUED, Entry.RUNNING),)
_RUNNING: tuple[Pair, ...] = ((Job.RUNNING, Entry.RUNNING),)
_HELD = _CLAIMED + _UPSTREAM + _RUNNING

_CHANGED = EventType.JOB_STATUS_CHANGED

TRANSITIONS: dict[Trigger, tuple[tuple[Pair, ...], Step]] = {
    Trigger.SUBMIT: (_NEW, Step(Job.PENDING, Entry.PENDING, EventType.JOB_QUEUED)),
    Trigger.SUBMIT_FOR_APPROVAL: (_NEW, Step(Job.PENDING, Entry.BLOCKED, EventType.APPROVAL_REQUESTED)),
    Trigger.APPROVE: (_BLOCKED, Step(Job.PENDING, Entry.PENDING, EventType.APPROVAL_GRANTED)),
    Trigger.REJECT: (_BLOCKED, Step(Job.CANCELLED, Entry.FAILED, EventType.APPROVAL_REJECTED)),
    Trigger.EXPIRE: (_BLOCKED, Step(Job.CANCELLED, Entry.FAILED, EventType.APPROVAL_EXPIRED)),
    Trigger.CANCEL_WAITING: (_QUEUED + _BLOCKED, Step(Job.CANCELLED, Entry.CANCELLED, _CHANGED)),
    # A job for whose good end it waited ended otherwise.
    Trigger.PARENT_FAILED: (_QUEUED + _BLOCKED, Step(Job.CANCELLED, Entry.CANCELLED, _CHANGED)),
    Trigger.CLAIM: (_QUEUED, Step(Job.UPLOADING, Entry.RUNNING, EventType.JOB_DISPATCHED)),
    # Only what the provider surely does not have goes back: never a job that it was seen to hold.
    Trigger.REQUEUE: (_CLAIMED, Step(Job.PENDING, Entry.PENDING, EventType.JOB_REQUEUED)),
    Trigger.FAIL: (_CLAIMED, Step(Job.FAILED, Entry.FAILED, _CHANGED)),
    Trigger.OBSERVE_QUEUED: (_CLAIMED, Step(Job.QUEUED, Entry.RUNNING, _CHANGED)),
    Trigger.OBSERVE_RUNNING: (_CLAIMED + _UPSTREAM, Step(Job.RUNNING, Entry.RUNNING, _CHANGED)),
    Trigger.OBSERVE_COMPLETED: (_HELD, Step(Job.COMPLETED, Entry.COMPLETED, _CHANGED)),
    Trigger.OBSERVE_FAILED: (_HELD, Step(Job.FAILED, Entry.FAILED, _CHANGED)),
    Trigger.OBSERVE_CANCELLED: (_HELD, Step(Job.CANCELLED, Entry.CANCELLED, _CHANGED)),
    # An attempt that surely ended, of a job that asked to run again after such an end: no end of the job.
    Trigger.RERUN: (_HELD, Step(Job.PENDING, Entry.PENDING, EventType.JOB_RERUN)),
    # After a restore from a backup: a job that waited then has run since, or nobody can tell.
    Trigger.RESTORE: (_QUEUED + _BLOCKED, Step(Job.UPLOADING, Entry.RUNNING, EventType.JOB_RESTORED)),
    # A person says that it has not run: it waits for its approval again.
    Trigger.RESTORE_BLOCKED: (_CLAIMED, Step(Job.PENDING, Entry.BLOCKED, EventType.JOB_REQUEUED)),
}

# Phases with no row of their own change nothing by themselves: UNKNOWN is a warning, LOST asks for proof.
PHASE_TRIGGERS: dict[Phase, Trigger] = {
    Phase.QUEUED: Trigger.OBSERVE_QUEUED,
    Phase.STARTING: Trigger.OBSERVE_QUEUED,
    Phase.RUNNING: Trigger.OBSERVE_RUNNING,
    Phase.STOPPING: Trigger.OBSERVE_RUNNING,
    Phase.SUCCEEDED: Trigger.OBSERVE_COMPLETED,
    Phase.FAILED: Trigger.OBSERVE_FAILED,
    Phase.TIMED_OUT: Trigger.OBSERVE_FAILED,
    Phase.CANCELED: Trigger.OBSERVE_CANCELLED,
}

_STEPS: dict[tuple[Job | None, Entry | None, Trigger], Step] = {
    (job, entry, trigger): step for trigger, (pairs, step) in TRANSITIONS.items() for job, entry in pairs
}


def step(job: Job | None, entry: Entry | None, trigger: Trigger) -> Step | None:
    """The next states, or None if ``trigger`` cannot happen in ``job`` and ``entry``."""
    return _STEPS.get((job, entry, trigger))
