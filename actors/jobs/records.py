"""The records of the runtime, as values: jobs, queue entries, submissions, approvals, events.

Every record is immutable; a change is a new row written by the ledger. Times are aware UTC datetimes, money is US
dollars, memory is bytes, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from actors.jobs.approval_records import ApprovalRequest as ApprovalRequest
from actors.jobs.approval_records import ApprovalRule as ApprovalRule
from actors.jobs.environment import DEFAULT_ENV_FROM as DEFAULT_ENV_FROM
from actors.jobs.observation import Observation as Observation
from actors.jobs.quantities import Bytes, Seconds
from actors.jobs.statuses import ACTIVE_JOBS as ACTIVE_JOBS
from actors.jobs.statuses import TERMINAL_JOBS as TERMINAL_JOBS
from actors.jobs.statuses import WAITING_ENTRIES as WAITING_ENTRIES
from actors.jobs.statuses import ApprovalStatus as ApprovalStatus
from actors.jobs.statuses import JobStatus as JobStatus
from actors.jobs.statuses import Phase as Phase
from actors.jobs.statuses import QueueStatus as QueueStatus
from actors.jobs.statuses import Restored as Restored
from actors.jobs.statuses import SubmissionState as SubmissionState


@attrs.frozen
class Resources:
    """What one job needs.

    ``cpus``: CPU slots. ``gpus``: GPU slots. ``memory``: how much memory; None: not counted.
    """

    cpus: int = 1
    gpus: int = 0
    memory: Bytes | None = None


@attrs.frozen
class Capacity:
    """What a provider has in all, by resource; None means that the resource is unbounded or not counted there.

    ``separate_limits``: it has a queue of its own, and its jobs are limited apart from all others (B10).
    """

    cpus: int | None = None
    gpus: int | None = None
    memory: int | None = None
    separate_limits: bool = False


@attrs.frozen
class Rerun:
    """When a job runs again by itself.

    ``times``: how often it runs again at most. ``on``: the kinds of ends after which it runs again. ``exit_codes``:
    exit statuses after which it runs again, too. ``delay``: the wait before it runs again the first time; later ones
    wait longer.
    """

    times: int = 0
    on: tuple[Literal["interrupted", "failed", "timed_out"], ...] = ("interrupted",)
    exit_codes: tuple[int, ...] = ()
    delay: Seconds = 30.0


@attrs.frozen
class JobRequest:
    """What somebody asks for.

    ``provider``: the name of the provider that runs the job. ``command``: an argv, never a shell line. ``entry_point``:
    a program of the configuration, instead of a command. ``params``: its parameters, by name. ``cwd``: where the
    command runs; None: in a fresh directory of the job, or in the directory of the job file. ``env``: variables of the
    job's environment. ``env_from``: what the job inherits of the submitter's own environment: names, patterns such as
    ``WANDB_*``, or ``all``. ``inherited_env``: what was found of it. ``spec``: an object that the provider checks.
    ``resources``: what it needs.

    ``user_id``: the user to whom the job belongs; by default the submitter. ``org_id``: the user's organisation, for
    its limit. ``team_id``: the user's team, for its limit. ``user_levels``: the user's levels; the highest gives the
    priority. ``config_name``: the job's name. ``hardware_type``: a word that approval rules look at.
    ``estimated_cost``: the estimated cost in USD, for approval rules. ``priority_override``: a priority in place of the
    level's. ``max_attempts``: how often Greenroom tries to submit it to its provider. ``idempotency_key``: a second
    request of the same user with the same key is the same job. ``max_runtime``: how long the job may run before it is
    ended. ``requires_approval``: a reason for which this job must be approved, whatever the rules say. ``group``: the
    name of the user's group to which the job belongs. ``after``: the jobs and groups that must have ended first: a
    name, an id, or ``{group: NAME}``. ``after_mode``: ``ok``: they must be completed, ``ended``: they must have ended.
    ``start_after``: not before this instant, time of day or wait. ``notify``: names of targets of the configuration.
    ``rerun``: when it runs again by itself. ``parameters``: the values of a matrix, as written, which the server fills
    in. ``best``: for which series the least or the greatest value is the best.

    Which fields a request may set depends on where it comes from; a new one must be listed in
    :mod:`actors.job_requests.sources`.
    """

    provider: str = "local"
    command: tuple[str, ...] | None = None
    entry_point: str | None = None
    params: Mapping[str, Any] = attrs.field(factory=dict)
    cwd: str | None = None
    env: Mapping[str, str] = attrs.field(factory=dict)
    env_from: tuple[str, ...] = DEFAULT_ENV_FROM
    inherited_env: Mapping[str, str] | None = None
    spec: Mapping[str, Any] = attrs.field(factory=dict)
    resources: Resources = Resources()
    user_id: str = ""
    org_id: str | None = None
    team_id: str | None = None
    user_levels: tuple[str, ...] = ()
    config_name: str | None = None
    hardware_type: str | None = None
    estimated_cost: float | None = None
    priority_override: int | None = None
    max_attempts: int = 3
    idempotency_key: str | None = None
    max_runtime: Seconds | None = None
    requires_approval: str | None = None
    group: str | None = None
    after: tuple[Any, ...] = ()
    after_mode: Literal["ok", "ended"] = "ok"
    start_after: str | None = None
    notify: tuple[str, ...] = ()
    rerun: Rerun = Rerun()
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    best: Mapping[str, Literal["min", "max"]] = attrs.field(factory=dict)


@attrs.frozen
class Job:
    """One training job: its request, its status, its results.

    ``pace``: pairs of a time and the step that was reached by then (:mod:`actors.jobs.estimates`). ``waiting_reason``:
    why its provider lets it wait, in the provider's words.
    """

    job_id: str
    status: JobStatus
    provider: str
    correlation_id: str
    request: JobRequest
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cost_usd: float | None = None
    error_message: str | None = None
    output_url: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    progress: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    cancel_requested_at: datetime | None = None
    cancel_requested_by: str | None = None
    uncertain_since: datetime | None = None
    uncertain_reason: str | None = None
    retry_of: str | None = None
    devices: tuple[str, ...] | None = None
    pace: Any = None
    waiting_reason: str | None = None
    version: int = 1

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can change this job's status any more."""
        return self.status in TERMINAL_JOBS


@attrs.frozen
class QueueEntry:
    """A job's place in the queue. ``attempt`` counts failed submissions; ``not_before`` is the end of a back-off.

    ``queued_at``: when it could first have started (it was approved, its parents had ended, its time had come).
    ``wait_seconds``: the length of the back-off; ``start_wait_seconds`` the same of a relative ``start_after``.
    ``run_first_attempt``: the value of ``attempt`` at which the present run began. ``is_awaited``: whether a job waits,
    or waited, for its end. ``restored``: what is still unknown after a restore from a backup; None: nothing.
    """

    job_id: str
    status: QueueStatus
    base_priority: int
    priority_override: int | None
    queued_at: datetime
    queued_seq: int
    attempt: int = 0
    max_attempts: int = 3
    not_before: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    wait_seconds: float | None = None
    start_after: datetime | None = None
    start_wait_seconds: float | None = None
    unfinished_parents: int = 0
    reruns: int = 0
    run_first_attempt: int = 0
    is_awaited: bool = False
    restored: Restored | None = None

    @property
    def is_not_due(self) -> bool:
        """Whether it waits for other jobs or for its time, so that it is not eligible yet."""
        return bool(self.unfinished_parents) or self.start_after is not None

    @property
    def is_ready(self) -> bool:
        """Whether it is in a lane: it waits only for limits, resources and other entries."""
        is_not_due = self.is_not_due or self.restored is not None
        return self.status is QueueStatus.PENDING and self.not_before is None and not is_not_due


@attrs.frozen
class Submission:
    """One submission to a provider: the key under which the provider knows it is committed before the provider is
    called.

    ``handle`` is the provider's own small JSON object, opaque here. ``spends_attempt``: if the provider turns out not
    to have the job, the try counts as an attempt (the call failed by an error of its own, not by a lost answer).
    ``outcome``: how the attempt ended, if the job continued with another one: its ``status`` (a kind of end that
    ``Rerun.on`` names) and the job's columns of then.
    """

    job_id: str
    key: str
    token: str
    state: SubmissionState
    intent_at: datetime
    handle: Mapping[str, Any] | None = None
    handed_at: datetime | None = None
    error: str | None = None
    spends_attempt: bool = False
    closed_at: datetime | None = None
    outcome: Mapping[str, Any] | None = None


@attrs.frozen
class Event:
    """One change, recorded once, with a gap-free ``seq`` in the order in which changes were committed.

    ``origin``: the place in the code that made the change, for the log's line; not stored, so None if the event was
    read from a row.
    """

    seq: int
    time: datetime
    type: str
    job_id: str | None
    correlation_id: str
    data: Mapping[str, Any] = attrs.field(factory=dict)
    origin: Any = attrs.field(default=None, eq=False, repr=False)

    @property
    def user_id(self) -> str | None:
        """The user of its job; None if it is about no job."""
        return None if self.job_id is None else self.data.get("user_id")

    @property
    def is_end(self) -> bool:
        """Whether it reports the end of its job."""
        return self.type == "job_status_changed" and self.data.get("status") in TERMINAL_JOBS

    def as_message(self) -> dict[str, Any]:
        """The event as clients see it: type and job id first, then its data."""
        return {"type": self.type, "job_id": self.job_id, **self.data}
