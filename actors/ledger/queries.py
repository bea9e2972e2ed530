"""Questions to the rows, each answered from one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.options import Limits
from actors.jobs.queue_position import estimated_wait, position
from actors.jobs.records import (
    ApprovalRequest,
    Capacity,
    Job,
    QueueEntry,
    QueueStatus,
    Submission,
    SubmissionState,
)
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.scheduling import Decision, explain
from actors.jobs.views import JobView
from actors.ledger.dispatch import decide_now
from actors.ledger.limits import effective_limits
from actors.store import approvals, jobs, lanes, notifications, queue, submissions

SHOWN_NOTIFICATIONS = 100
"""Notifications of one job that are shown with it, the newest."""


@attrs.frozen
class DecisionContext:
    """What a decision about the queue rests on beside the rows: configured limits, providers' capacities, the time."""

    configured: Limits
    capacities: Mapping[str, Capacity]
    now: datetime

    def decide(self, connection: Connection) -> Decision:
        """What the scheduler would decide now."""
        return decide_now(connection, self.configured, self.capacities, self.now)[0]


@attrs.frozen
class InFlight:
    """A job that was handed over, or may have been, as the poller needs it."""

    submission: Submission
    job: Job
    entry_status: QueueStatus

    @property
    def key(self) -> str:
        """The key under which the provider knows it."""
        return self.submission.key


def held_at(
    connection: Connection, provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> list[InFlight]:
    """All jobs of a provider that were or may have been handed over, oldest first, however many (B3).

    ``unsettled``: only those to be settled or cancelled; ``keys``: these, too.
    """
    found = submissions.open_at(connection, provider, unsettled=unsettled, keys=keys)
    return [InFlight(submission, job, QueueStatus.RUNNING) for submission, job in found if not job.is_terminal]


def deadlines(connection: Connection, now: datetime) -> tuple[list[str], datetime | None]:
    """The ids of requests past their deadline, and the next deadline to come."""
    due = [request.approval_id for request in approvals.due(connection, now)]
    return due, approvals.next_deadline(connection)


def resolve(connection: Connection, part: str) -> str:
    """The one job id that is, begins or ends with ``part``."""
    return find(connection, part).job_id


def find(connection: Connection, part: str) -> Job:
    """The one job whose id is, begins or ends with ``part``."""
    _check_id(part, "job")
    found = jobs.get(connection, part)
    if found is None:
        found = jobs.get(connection, only(part, jobs.matching(connection, part.lower()), "job"))
    if found is None:
        raise Refused(f"there is no job {part!r}", RefusalKind.NOT_FOUND)
    return found


def resolve_approval(connection: Connection, part: str) -> str:
    """The one approval id that is, begins or ends with ``part``, or that belongs to such a job."""
    _check_id(part, "approval request")
    if approvals.get(connection, part) is not None:
        return part
    found = approvals.matching(connection, part.lower())
    if not found:
        owners = jobs.matching(connection, part.lower())
        found = [request.approval_id for request in approvals.of_jobs(connection, owners).values()]
    return only(part, found, "approval request")


def _check_id(part: str, what: str) -> None:
    """Raises :class:`Refused` for what no id of ours holds: nothing, control characters, more than a name has."""
    if not part or not part.isascii() or not part.isprintable() or len(part) > maxima.NAME:
        raise Refused(f"there is no {what} {part!r:.80}", RefusalKind.NOT_FOUND)


def only(part: str, found: Sequence[str], what: str) -> str:
    """The one of ``found``, which fit ``part``. Raises :class:`Refused` for none, and for more than one."""
    if not found:
        raise Refused(f"there is no {what} {part!r:.80}", RefusalKind.NOT_FOUND)
    if len(found) > 1:
        raise Refused(
            f"{part!r:.80} fits more than one {what}: {', '.join(found[:3])}; type more of it", RefusalKind.INVALID
        )
    return found[0]


def view(connection: Connection, part: str, context: DecisionContext) -> JobView:
    """The job whose id is, begins or ends with ``part``, with all that is known around it, its place included."""
    job = find(connection, part)
    views = of_jobs(connection, [job], context)
    if not views:
        queue.get(connection, job.job_id)  # raises: it was left out
        raise Refused(f"there is no job {part!r}", RefusalKind.NOT_FOUND)
    sent = tuple(notifications.of_job(connection, job.job_id, SHOWN_NOTIFICATIONS))
    return attrs.evolve(_placed(connection, views[0], context), notifications=sent)


def of_jobs(connection: Connection, found: Sequence[Job], context: DecisionContext) -> list[JobView]:
    """These jobs, each with what is known around it but its place: a few statements, however many there are."""
    entries = queue.get_many(connection, [job.job_id for job in found])
    waits = any(entry.status is QueueStatus.PENDING for entry in entries.values())
    around = Around(connection, entries, context.decide(connection) if waits else None, context.now)
    return [around.view(job, entries[job.job_id]) for job in found if job.job_id in entries]


def approval(connection: Connection, approval_id: str) -> ApprovalRequest:
    """The approval request of this id."""
    found = approvals.get(connection, approval_id)
    if found is None:
        raise Refused(f"there is no approval request {approval_id!r}", RefusalKind.NOT_FOUND)
    return found


def _placed(connection: Connection, view: JobView, context: DecisionContext) -> JobView:
    """One waiting job with its exact place and an honest estimate; a list of jobs would cost this for each."""
    if view.entry.status is not QueueStatus.PENDING:
        return view
    place = position(
        view.entry,
        lanes.read(connection),
        context.now,
        lambda lane, moment: lanes.count_before(connection, lane.lane_id, *moment),
    )
    slots = effective_limits(connection, context.configured).total
    return attrs.evolve(view, position=place, estimate=estimated_wait(place, slots, jobs.recent_durations(connection)))


class Around:
    """What is known around some jobs and their ``entries``, read for all of them at once."""

    def __init__(
        self, connection: Connection, entries: Mapping[str, QueueEntry], decision: Decision | None, now: datetime
    ) -> None:
        ids = list(entries)
        self._now = now
        self._asked = approvals.of_jobs(connection, ids)
        self._handed = submissions.of_jobs(connection, ids)
        self._lanes = queue.lanes_of(connection, ids) if decision is not None else {}
        self._decision = decision
        self._picked = frozenset(pick.head.job_id for pick in decision.picks) if decision is not None else frozenset()

    def view(self, job: Job, entry: QueueEntry) -> JobView:
        """One job with all of it."""
        approval, submission = self._asked.get(job.job_id), self._handed.get(job.job_id)
        reason, setting = self._why_it_waits(entry, approval, submission)
        status, now = entry.status, self._now
        if status is QueueStatus.PENDING and entry.attempt and (entry.not_before is None or entry.not_before <= now):
            status = QueueStatus.READY
        return JobView(job, entry, status, approval, submission, reason, setting)

    def _why_it_waits(
        self, entry: QueueEntry, approval: ApprovalRequest | None, submission: Submission | None
    ) -> tuple[str | None, str | None]:
        """The reason in words, and the setting that changes it (C7)."""
        if entry.status is QueueStatus.BLOCKED and approval is not None:
            return f"waits for an approval: {approval.reason}", f"greenroom approve {approval.approval_id}"
        if entry.status is QueueStatus.RUNNING and submission and submission.state is SubmissionState.UNKNOWN:
            return "its provider is being asked whether it was accepted", None
        if entry.status is not QueueStatus.PENDING or self._decision is None:
            return None, None
        if entry.not_before is not None and entry.not_before > self._now:
            return f"next try at {entry.not_before:%H:%M:%S} UTC: {entry.error_message}", None
        wait = explain(self._lanes.get(entry.job_id, -1), self._decision, is_picked=entry.job_id in self._picked)
        return wait.reason, wait.setting


def plain_counts(connection: Connection) -> dict[str, Any]:
    """How many jobs and entries there are of each status."""
    return {
        "jobs": {status.value: number for status, number in jobs.counts(connection).items()},
        "queue": {status.value: number for status, number in queue.counts(connection).items()},
    }
