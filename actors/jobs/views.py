"""Records for readers: a job with its context, and the queue at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

import attrs

from actors.jobs.dependencies import Relatives
from actors.jobs.estimates import Span
from actors.jobs.notifications import Notification
from actors.jobs.options import Limits
from actors.jobs.pages import Page
from actors.jobs.records import (
    ApprovalRequest,
    ApprovalRule,
    Job,
    JobStatus,
    QueueEntry,
    QueueStatus,
    Submission,
    SubmissionState,
)


class JobFilters(TypedDict, total=False):
    """Which jobs to return. An absent value, or None, does not narrow.

    ``text``: part of the id, the user, the configuration's name or the error, ignoring case. ``since`` and ``until``:
    submitted at that moment or later, and before it. ``name``: a pattern (:mod:`actors.jobs.globs`).
    """

    statuses: Iterable[JobStatus]
    user_id: str | None
    org_id: str | None
    provider: str | None
    text: str | None
    since: datetime | None
    until: datetime | None
    name: str | None
    group: str | None


class JobSort(StrEnum):
    """By what a list of jobs is in order. Of those of one status, user or provider the ids decide."""

    CREATED = "created"
    NAME = "name"
    USER = "user"
    STATUS = "status"
    PROVIDER = "provider"
    GROUP = "group"
    STARTED = "started"
    ENDED = "ended"


@attrs.frozen
class JobOrder:
    """The order of a list of jobs: the newest first, if nothing else is said."""

    sort: JobSort = JobSort.CREATED
    descending: bool = True

    @property
    def is_newest_first(self) -> bool:
        """Whether it is the order in which jobs are listed everywhere."""
        return self.sort is JobSort.CREATED and self.descending


NEWEST_FIRST = JobOrder()


@attrs.frozen
class Viewer:
    """The person who names a job: if several match, those of ``user_id`` come first.

    ``only_own``: only their own jobs are visible. ``user_id`` None: nobody's come first.
    """

    user_id: str | None = None
    only_own: bool = False

    def sees(self, user_id: str) -> bool:
        """Whether jobs of this user are seen."""
        return not self.only_own or user_id == self.user_id


EVERYTHING = Viewer()
"""The program that runs the runtime: it sees all jobs."""


class EventFilters(TypedDict, total=False):
    """Which events to return: of one job, of some types, of jobs of one user. Absent, None or empty: all."""

    job_id: str | None
    types: Iterable[str]
    user_id: str | None


@attrs.frozen
class Gap:
    """What can no longer be sent to a reader who has read everything up to ``after``: ``missing`` events were removed
    since.

    The stream continues after number ``resume``, which differs from ``after`` if no event with that number was written.
    """

    after: int
    missing: int
    resume: int


@attrs.frozen
class Accepted:
    """The answer to one request: its job, and whether it was made now or existed already under the same key.

    ``warnings``: faults of the request, which was accepted all the same.
    """

    job: Job
    entry: QueueEntry
    approval: ApprovalRequest | None
    created: bool
    warnings: tuple[str, ...] = ()


@attrs.frozen
class Attempt:
    """One attempt at a job. ``attempt``: its number, 1 for the first; ``key``: under which its provider knows it.

    ``status``: how it ended (``interrupted``, ``failed`` or ``timed_out``, where the job runs again), else that of the
    job, None where no provider had it. ``closed_at``: when nothing more remained to be done about it.
    """

    attempt: int
    key: str
    state: SubmissionState
    status: str | None
    handed_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None
    exit_code: int | None
    signal: int | None
    error_message: str | None
    output_url: str | None
    cost_usd: float | None
    devices: tuple[str, ...] | None


@attrs.frozen
class JobView:
    """A job with its context. ``reason``: why it waits, with the setting that would change that.

    ``notifications``: those of the job; None in lists. ``attempts``: the newest ones, the oldest of these first; None
    in lists. ``starts`` and ``ends``: the estimates, None if there are none; ``estimate``: seconds until it starts.
    ``waits_for``, ``dependants``: the jobs that it waits or waited for, and those that wait for it; None: not read, as
    in lists.
    """

    job: Job
    entry: QueueEntry
    queue_status: QueueStatus
    approval: ApprovalRequest | None = None
    submission: Submission | None = None
    reason: str | None = None
    setting: str | None = None
    position: int | None = None
    estimate: float | None = None
    notifications: tuple[Notification, ...] | None = None
    attempts: tuple[Attempt, ...] | None = None
    starts: Span | None = None
    ends: Span | None = None
    waits_for: Relatives | None = None
    dependants: Relatives | None = None


@attrs.frozen
class ReservationView:
    """What is kept free at a provider for one job, in words. ``job_id``: None where it is not for the reader to see."""

    provider: str
    job_id: str | None
    text: str


@attrs.frozen
class QueueView:
    """The queue at one moment: waiting entries in the order in which they would start, and what limits them.

    ``at_providers``: the newest jobs that wait at their providers, on the first page. ``oldest_queued_at``: since when
    the entry has waited that has waited longest, shown here or not. ``pruning_held``: why old jobs are not removed now
    and how that ends; None if they are.
    """

    waiting: Page[JobView]
    running: int
    counts: Mapping[str, int]
    limits: Limits
    limit_sources: Mapping[str, str]
    closed_providers: Mapping[str, str]
    summary: str
    paused: str | None = None
    oldest_queued_at: datetime | None = None
    pruning_held: str | None = None
    reservations: Sequence[ReservationView] = ()
    at_providers: Sequence[JobView] = ()


@attrs.frozen
class TargetView:
    """A target of notifications. ``address``: scheme and host; None for a command, and for one not configured.

    ``waiting``: jobs with something that waits for it, the oldest ``waiting_since``.
    """

    name: str
    configured: bool
    address: str | None = None
    format: str | None = None
    on: tuple[str, ...] = ()
    waiting: int = 0
    waiting_since: datetime | None = None
    disabled_reason: str | None = None
    disabled_at: datetime | None = None


@attrs.frozen
class RuleView:
    """An approval rule in effect. ``source``: ``configured``, or ``stored``: added or replaced at run time."""

    rule: ApprovalRule
    source: str
    changed_at: datetime | None = None
    changed_by: str | None = None


@attrs.frozen
class Caught:
    """A job that a rule would have held back, and the reason that it would have given."""

    job_id: str
    user_id: str
    created_at: datetime
    reason: str


@attrs.frozen
class DryRun:
    """What a rule would have done with the last jobs: how many were looked at, and which it would have held back."""

    looked_at: int
    caught: tuple[Caught, ...]
