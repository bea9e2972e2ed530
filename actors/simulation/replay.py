"""The state of every job as the events alone describe it, to be compared with the rows."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from actors.jobs.events import EventType
from actors.jobs.lifecycle import TRANSITIONS, Step
from actors.jobs.records import ApprovalStatus, Event, JobStatus, QueueStatus

_STEP_EVENTS = frozenset(step.event for _, step in TRANSITIONS.values())
_PLAIN = frozenset(
    {
        EventType.JOB_HANDED_OVER, EventType.JOB_PROGRESS, EventType.JOB_OUTCOME_UNKNOWN, EventType.JOB_UNCERTAIN,
        EventType.JOB_SETTLED, EventType.JOB_CANCEL_REQUESTED, EventType.JOB_PRIORITY_CHANGED,
    }
)  # fmt: skip
_DECISIONS: dict[str, ApprovalStatus] = {
    EventType.APPROVAL_GRANTED: ApprovalStatus.APPROVED,
    EventType.APPROVAL_REJECTED: ApprovalStatus.REJECTED,
    EventType.APPROVAL_EXPIRED: ApprovalStatus.EXPIRED,
}

Broken = Callable[[str, str], None]


@attrs.define
class JobAccount:
    """One job as its events describe it. ``steps`` counts the events that changed its status."""

    job: JobStatus | None = None
    entry: QueueStatus | None = None
    correlation_id: str = ""
    approval: ApprovalStatus | None = None
    cancel_requested: bool = False
    steps: int = 0


class Replay:
    """Applies events in order and keeps the resulting states; ``broken`` is called with a broken rule and how."""

    def __init__(self, broken: Broken) -> None:
        self.last = 0
        self.jobs: dict[str, JobAccount] = {}
        self.transitions: set[str] = set()
        self._broken = broken

    def feed(self, event: Event) -> None:
        """One more event."""
        if event.seq != self.last + 1:
            self._broken("events without a gap", f"event {event.seq} ({event.type}) follows {self.last}")
        self.last = event.seq
        if event.job_id is None:
            return
        account = self.jobs.setdefault(event.job_id, JobAccount())
        if not account.correlation_id:
            account.correlation_id = event.correlation_id
        elif event.correlation_id != account.correlation_id:
            self._broken("one correlation ID", f"{event.type} of {event.job_id} has {event.correlation_id}")
        if event.type in _STEP_EVENTS:
            self._take(event, account)
        elif event.type not in _PLAIN:
            self._broken("known events", f"{event.type} of {event.job_id} is in no table")
        elif account.job is not None and event.data.get("status", account.job) != account.job:
            self._broken("events tell the status", f"{event.type} of {event.job_id}: {event.data}, it is {account.job}")
        if event.type == EventType.JOB_CANCEL_REQUESTED:
            account.cancel_requested = True

    def _take(self, event: Event, account: JobAccount) -> None:
        before = (account.job, account.entry)
        steps = {
            step
            for pairs, step in TRANSITIONS.values()
            if before in pairs and step.event == event.type and step.job == event.data.get("status")
        }
        if len(steps) != 1:
            final = "terminal is final" if account.entry in _ENDED else "steps stand in the table"
            self._broken(final, f"{event.type} of {event.job_id} to {event.data.get('status')} from {before}")
            return
        (step,) = steps
        self._move(event, account, step)

    def _move(self, event: Event, account: JobAccount, step: Step) -> None:
        self.transitions.add(
            f"{account.job or 'new'}/{account.entry or 'new'} -> {step.job}/{step.entry} ({step.event})"
        )
        account.steps += 1
        if event.type == EventType.APPROVAL_REQUESTED:
            account.approval = ApprovalStatus.PENDING
        elif event.type in _DECISIONS:
            if account.approval is not ApprovalStatus.PENDING:
                self._broken("one end per approval", f"{event.type} of {event.job_id}, it was {account.approval}")
            account.approval = _DECISIONS[event.type]
        elif step.entry in _ENDED and account.approval is ApprovalStatus.PENDING:
            account.approval = ApprovalStatus.CANCELLED
        account.job, account.entry = step.job, step.entry


_ENDED = frozenset({QueueStatus.COMPLETED, QueueStatus.FAILED, QueueStatus.CANCELLED})
