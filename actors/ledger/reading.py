"""Questions to the rows, each answered from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
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
from actors.ledger.limits import overlaid, stored_limits
from actors.store import Transaction, approvals, jobs, lanes, queue, submissions


@attrs.frozen
class Held:
    """A job that was handed over, or may have been, as the poller needs it."""

    submission: Submission
    job: Job
    entry_status: QueueStatus

    @property
    def key(self) -> str:
        """The key under which the provider knows it."""
        return self.submission.key


def held_at(
    provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> Callable[[Connection], list[Held]]:
    """All jobs of a provider that were or may have been handed over, oldest first, however many (B3).

    ``unsettled``: only those to be settled or cancelled; ``keys``: these, too.
    """

    def query(connection: Connection) -> list[Held]:
        found = submissions.open_at(connection, provider, unsettled=unsettled, keys=keys)
        return [Held(submission, job, QueueStatus.RUNNING) for submission, job in found if not job.is_terminal]

    return query


def deadlines(now: datetime) -> Callable[[Connection], tuple[list[str], datetime | None]]:
    """The ids of requests past their deadline, and the next deadline to come."""

    def query(connection: Connection) -> tuple[list[str], datetime | None]:
        due = [request.approval_id for request in approvals.due(connection, now)]
        return due, approvals.next_deadline(connection)

    return query


def resolve(part: str) -> Callable[[Connection], str]:
    """The one job id that is, begins or ends with ``part``."""

    def query(connection: Connection) -> str:
        if not part:
            return part
        _check_id(part, "job")
        if jobs.get(connection, part) is not None:
            return part
        return _only(part, jobs.matching(connection, part.lower()), "job")

    return query


def resolve_approval(part: str) -> Callable[[Connection], str]:
    """The one approval id that is, begins or ends with ``part``, or that belongs to such a job."""

    def query(connection: Connection) -> str:
        _check_id(part, "approval request")
        if approvals.get(connection, part) is not None:
            return part
        found = approvals.matching(connection, part.lower())
        if not found:
            owners = jobs.matching(connection, part.lower())
            found = [request.approval_id for request in approvals.of_jobs(connection, owners).values()]
        return _only(part, found, "approval request")

    return query


def _check_id(part: str, what: str) -> None:
    """Raises :class:`Refused` for what no id of ours holds: control characters, more than a name has."""
    if not part.isascii() or not part.isprintable() or len(part) > maxima.NAME:
        raise Refused(f"there is no {what} {part!r:.80}", RefusalKind.NOT_FOUND)


def _only(part: str, found: Sequence[str], what: str) -> str:
    if not part or not found:
        raise Refused(f"there is no {what} {part!r:.80}", RefusalKind.NOT_FOUND)
    if len(found) > 1:
        raise Refused(
            f"{part!r:.80} fits more than one {what}: {', '.join(found)}; type more of it", RefusalKind.INVALID
        )
    return found[0]


def views(
    chosen: Callable[[Connection], list[Job]], configured: Limits, capacities: Mapping[str, Capacity], now: datetime
) -> Callable[[Connection], list[JobView]]:
    """The jobs that ``chosen`` gives, each with all that is known around it."""

    def query(connection: Connection) -> list[JobView]:
        made = of_jobs(connection, chosen(connection), configured, capacities, now)
        return [_placed(connection, made[0], configured, now)] if len(made) == 1 else made

    return query


def of_jobs(
    connection: Connection, found: Sequence[Job], configured: Limits, capacities: Mapping[str, Capacity], now: datetime
) -> list[JobView]:
    """These jobs, each with what is known around it but its place: a few statements, however many there are."""
    entries = queue.get_many(connection, [job.job_id for job in found])
    decision = decide_now(Transaction(connection, now), configured, capacities)[0] if _any_waits(entries) else None
    around = Around(connection, entries, decision, now)
    return [around.view(job, entries[job.job_id]) for job in found]


def limits_view(configured: Limits) -> Callable[[Connection], tuple[Limits, dict[str, str]]]:
    """The limits that hold and which of them were changed at run time."""

    def query(connection: Connection) -> tuple[Limits, dict[str, str]]:
        stored = stored_limits(Transaction(connection, _ANY_TIME))
        return overlaid(configured, stored), dict.fromkeys(stored, "stored")

    return query


def request(approval_id: str) -> Callable[[Connection], ApprovalRequest]:
    """The approval request of this id."""

    def query(connection: Connection) -> ApprovalRequest:
        found = approvals.get(connection, approval_id)
        if found is None:
            raise Refused(f"there is no approval request {approval_id!r}", RefusalKind.NOT_FOUND)
        return found

    return query


def uncertain(connection: Connection) -> list[str]:
    """Ids of jobs of which nobody can tell whether they run."""
    return jobs.uncertain(connection)


def _placed(connection: Connection, view: JobView, configured: Limits, now: datetime) -> JobView:
    """One waiting job with its exact place and an honest estimate; a list of jobs would cost this for each."""
    if view.entry.status is not QueueStatus.PENDING:
        return view
    place = position(
        view.entry,
        lanes.read(connection),
        now,
        lambda lane, moment: lanes.count_before(connection, lane.lane_id, *moment),
    )
    slots = overlaid(configured, stored_limits(Transaction(connection, now))).total
    return attrs.evolve(view, position=place, estimate=estimated_wait(place, slots, jobs.recent_durations(connection)))


_ANY_TIME = datetime.min.replace(tzinfo=UTC)


def _any_waits(entries: Mapping[str, QueueEntry]) -> bool:
    return any(entry.status is QueueStatus.PENDING for entry in entries.values())


class Around:
    """What is known around some jobs and their ``entries``, read for all of them at once."""

    def __init__(
        self, connection: Connection, entries: Mapping[str, QueueEntry], decision: Decision | None, now: datetime
    ) -> None:
        ids = list(entries)
        self._now = now
        self._asked = approvals.of_jobs(connection, ids)
        self._handed = submissions.of_jobs(connection, ids)
        self._lanes = queue.lanes_of(connection, ids)
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
