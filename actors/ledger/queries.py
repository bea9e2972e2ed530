"""Queries, each answered from one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.dependencies import reason_to_wait
from actors.jobs.forecast import Forecast, seconds_from
from actors.jobs.options import Limits
from actors.jobs.queue_position import position
from actors.jobs.records import (
    ApprovalRequest,
    Capacity,
    Job,
    JobStatus,
    QueueEntry,
    QueueStatus,
    Restored,
    Submission,
    SubmissionState,
)
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.reservations import USUAL_POLICY, ReservePolicy
from actors.jobs.scheduling import Decision, explain
from actors.jobs.views import JobView
from actors.ledger import naming
from actors.ledger.attempts import attempts
from actors.ledger.dispatch import decide_now
from actors.ledger.forecasts import end_of, of_waiting
from actors.store import approvals, dependencies, jobs, lanes, notifications, queue, submissions

SHOWN_NOTIFICATIONS = 100
"""Notifications of one job that are shown with it, the newest."""


@attrs.frozen
class DecisionContext:
    """What a decision about the queue needs in addition to the rows: configured limits, providers' capacities, the
    time.

    ``policy``: for which jobs resources are kept.
    """

    configured: Limits
    capacities: Mapping[str, Capacity]
    now: datetime
    policy: ReservePolicy = USUAL_POLICY

    def decide(self, connection: Connection) -> Decision:
        """What the scheduler would decide now."""
        return decide_now(connection, self.configured, self.capacities, self.now, policy=self.policy)[0]

    def forecasts(self, connection: Connection, until: str | None = None) -> dict[str, Forecast]:
        """By job id, when those that wait for their turn start and end; ``until``: only this one is asked about."""
        return of_waiting(connection, self.configured, self.capacities, self.now, until, self.policy)


@attrs.frozen
class InFlight:
    """A job that was submitted, or may have been, as the poller needs it."""

    submission: Submission
    job: Job
    entry_status: QueueStatus

    @property
    def key(self) -> str:
        """The key under which the provider knows it."""
        return self.submission.key


def in_flight_at(
    connection: Connection, provider: str, *, unsettled: bool = False, keys: Iterable[str] | None = None
) -> list[InFlight]:
    """All jobs of a provider that were or may have been submitted, oldest first, however many (B3).

    ``unsettled``: only those to be settled or cancelled; ``keys``: also these.
    """
    found = submissions.open_at(connection, provider, unsettled=unsettled, keys=keys)
    return [InFlight(submission, job, QueueStatus.RUNNING) for submission, job in found if not job.is_terminal]


def deadlines(connection: Connection, now: datetime) -> tuple[list[str], datetime | None]:
    """The ids of requests past their deadline, and the next deadline to come."""
    due = [request.approval_id for request in approvals.due(connection, now)]
    return due, approvals.next_deadline(connection)


def resolve(connection: Connection, text: str) -> str:
    """The id of the one job that ``text`` means: its id, its name, the beginning or the end of its id."""
    return naming.find(connection, text).job.job_id


def find(connection: Connection, text: str) -> Job:
    """The job that ``text`` means; of several of one name the newest."""
    found = jobs.get(connection, text) if text.isascii() else None
    if found is None:
        found = jobs.get(connection, naming.find(connection, text, newest=True).job.job_id)
    if found is None:
        raise Refused(f"there is no job {text!r}", RefusalKind.NOT_FOUND)
    return found


def view(connection: Connection, text: str, context: DecisionContext) -> JobView:
    """The job that ``text`` means, with its context and its place; see :func:`find`."""
    job = find(connection, text)
    views = of_jobs(connection, [job], context)
    if not views:
        queue.get(connection, job.job_id)  # raises: it was left out
        raise Refused(f"there is no job {text!r:.80}", RefusalKind.NOT_FOUND)
    waits_for, dependants = dependencies.relatives(connection, job, views[0].entry)
    tries = attempts(connection, views[0])
    sent = tuple(notifications.of_job(connection, job.job_id, SHOWN_NOTIFICATIONS))
    related = attrs.evolve(views[0], waits_for=waits_for, dependants=dependants, attempts=tries, notifications=sent)
    return _with_queue_position(connection, related, context)


def of_jobs(connection: Connection, found: Sequence[Job], context: DecisionContext) -> list[JobView]:
    """These jobs with their context but without their places: a few statements, however many there are."""
    entries = queue.get_many(connection, [job.job_id for job in found])
    waits = any(entry.status is QueueStatus.PENDING for entry in entries.values())
    contexts = JobContexts(connection, entries, context.decide(connection) if waits else None, context.now)
    return [contexts.view(job, entries[job.job_id]) for job in found if job.job_id in entries]


def approval(connection: Connection, approval_id: str) -> ApprovalRequest:
    """The approval request of this id."""
    found = approvals.get(connection, approval_id)
    if found is None:
        raise Refused(f"there is no approval request {approval_id!r}", RefusalKind.NOT_FOUND)
    return found


def _with_queue_position(connection: Connection, view: JobView, context: DecisionContext) -> JobView:
    """One waiting job with its exact place and its forecast; a list of jobs would cost this for each."""
    if view.entry.status is not QueueStatus.PENDING or view.entry.is_not_due:
        return view
    place = position(
        view.entry,
        lanes.read(connection),
        context.now,
        lambda lane, moment: lanes.count_before(connection, lane.lane_id, *moment),
    )
    return with_forecast(
        attrs.evolve(view, position=place), context.forecasts(connection, view.job.job_id), context.now
    )


def with_forecast(view: JobView, found: Mapping[str, Forecast], now: datetime) -> JobView:
    """The view of a waiting job with what is known of its start and its end."""
    forecast = found.get(view.job.job_id)
    if forecast is None:
        return view
    return attrs.evolve(view, starts=forecast.starts, ends=forecast.ends, estimate=seconds_from(now, forecast.starts))


class JobContexts:
    """The context of some jobs and their ``entries``, read for all of them at once."""

    def __init__(
        self, connection: Connection, entries: Mapping[str, QueueEntry], decision: Decision | None, now: datetime
    ) -> None:
        ids = list(entries)
        self._now = now
        self._asked = approvals.of_jobs(connection, ids)
        self._handed = submissions.of_jobs(connection, ids)
        self._lanes = queue.lanes_of(connection, ids) if decision is not None else {}
        held = [job_id for job_id, entry in entries.items() if entry.unfinished_parents]
        self._waited_for = dependencies.waited_for(connection, held) if held else {}
        self._decision = decision
        self._picked = frozenset(pick.head.job_id for pick in decision.picks) if decision is not None else frozenset()

    def view(self, job: Job, entry: QueueEntry) -> JobView:
        """One job with its context."""
        approval, submission = self._asked.get(job.job_id), self._handed.get(job.job_id)
        reason, setting = self._why_it_waits(job, entry, approval, submission)
        if reason is None and job.status is JobStatus.QUEUED and job.waiting_reason is not None:
            reason = f"waits at {job.provider}: {job.waiting_reason}"
        status, now = entry.status, self._now
        if status is QueueStatus.PENDING and entry.attempt and (entry.not_before is None or entry.not_before <= now):
            status = QueueStatus.READY
        return JobView(job, entry, status, approval, submission, reason, setting, ends=end_of(job, now))

    def _why_it_waits(
        self, job: Job, entry: QueueEntry, approval: ApprovalRequest | None, submission: Submission | None
    ) -> tuple[str | None, str | None]:
        """The reason in words, and the setting that changes it (C7). A job that is uncertain has its own reason."""
        if entry.restored is Restored.LOOK_UP:
            reason = f"restored from a backup: whether it has run since is to be found out at {job.provider}"
            return reason, f"greenroom settle {entry.job_id}"
        if entry.status is QueueStatus.BLOCKED and approval is not None:
            return f"waits for an approval: {approval.reason}", f"greenroom approve {approval.approval_id}"
        if entry.status is QueueStatus.RUNNING and submission and submission.state is SubmissionState.UNKNOWN:
            being_asked = "its provider is being asked whether it was accepted"
            return (being_asked if job.uncertain_since is None else None), None
        if entry.status is not QueueStatus.PENDING or self._decision is None:
            return None, None
        if entry.is_not_due:
            return self._why_it_is_held(entry), None
        if entry.not_before is not None and entry.not_before > self._now:
            if entry.reruns and entry.attempt == entry.run_first_attempt:
                return f"runs again at {entry.not_before:%H:%M:%S} UTC: {entry.error_message}", None
            return f"next try at {entry.not_before:%H:%M:%S} UTC: {entry.error_message}", None
        wait = explain(self._lanes.get(entry.job_id, -1), self._decision, is_picked=entry.job_id in self._picked)
        return wait.reason, wait.setting

    def _why_it_is_held(self, entry: QueueEntry) -> str:
        first = self._waited_for.get(entry.job_id)
        if first is not None:
            return reason_to_wait(first, entry.unfinished_parents)
        if entry.unfinished_parents or entry.start_after is None:
            return "waits for jobs that have just ended"
        return f"starts at {entry.start_after:%Y-%m-%d %H:%M:%S} UTC"


def plain_counts(connection: Connection) -> dict[str, Any]:
    """How many jobs and entries there are of each status."""
    return {
        "jobs": {status.value: number for status, number in jobs.counts(connection).items()},
        "queue": {status.value: number for status, number in queue.counts(connection).items()},
    }
