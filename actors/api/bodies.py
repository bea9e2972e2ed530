"""What requests may hold: the classes by which bodies and query parameters are checked, and described in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs
from attrs.validators import ge, le, max_len, min_len

from actors.jobs.levels import HIGHEST_OVERRIDE
from actors.jobs.records import ApprovalRule, ApprovalStatus, JobStatus

MOST_JOBS = 1000
"""Of one page."""
MOST_WAITING = 10_000
MOST_BYTES = 8 << 20
"""Of one page of a job's output."""
MOST_DECISIONS = 500
LARGEST_SEQ = 2**63 - 1
_LONGEST_REASON = 2000

Condition = Literal[
    "cost_exceeds", "hardware_type", "provider", "user_level", "daily_jobs_exceed", "first_job", "config_pattern"
]
Level = Literal["viewer", "researcher", "lead", "admin"]


@attrs.frozen
class Nothing:
    """No field, no parameter."""


@attrs.frozen
class JobsQuery:
    """Which jobs. ``q``: part of an id, user, configuration name or error; ``before``: ``next`` of the page before."""

    status: tuple[JobStatus, ...] = ()
    user_id: str | None = None
    org_id: str | None = None
    provider: str | None = None
    q: str | None = attrs.field(default=None, validator=attrs.validators.optional(max_len(200)))
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = attrs.field(default=100, validator=[ge(1), le(MOST_JOBS)])


@attrs.frozen
class QueueQuery:
    """How many entries at most."""

    limit: int = attrs.field(default=1000, validator=[ge(0), le(MOST_WAITING)])


@attrs.frozen
class ApprovalsQuery:
    """Which approval requests, and how many at most."""

    status: tuple[ApprovalStatus, ...] = ()
    limit: int = attrs.field(default=100, validator=[ge(1), le(MOST_JOBS)])


@attrs.frozen
class EventsQuery:
    """Events after number ``after``: of one job, of these types (several with commas between), of one user's jobs."""

    after: int | None = attrs.field(default=None, validator=attrs.validators.optional([ge(0), le(LARGEST_SEQ)]))
    job_id: str | None = None
    types: tuple[str, ...] = ()
    user: str | None = None


@attrs.frozen
class JobEventsQuery:
    """Events of a job after number ``after``, at most ``limit``."""

    after: int = attrs.field(default=0, validator=[ge(0), le(LARGEST_SEQ)])
    limit: int = attrs.field(default=MOST_JOBS, validator=[ge(1), le(MOST_JOBS)])


@attrs.frozen
class LogsQuery:
    """``cursor``: go on from there. ``follow``: until the job ends. ``limit``: one page of about so many bytes."""

    cursor: str | None = None
    follow: bool = False
    limit: int | None = attrs.field(default=None, validator=attrs.validators.optional([ge(1), le(MOST_BYTES)]))


@attrs.frozen
class LogStreamQuery:
    """``cursor``: go on from there; ``Last-Event-ID`` wins."""

    cursor: str | None = None


@attrs.frozen
class Settling:
    """A person's word on an uncertain job: it ``ran`` (give its ``handle``), did ``not_run``, or ``failed``."""

    verdict: Literal["ran", "not_run", "failed"]
    handle: Mapping[str, Any] | None = None


@attrs.frozen
class Prioritising:
    """An override, or null to take it away."""

    priority_override: int | None = attrs.field(validator=attrs.validators.optional([ge(0), le(HIGHEST_OVERRIDE)]))


@attrs.frozen
class Pausing:
    """A provider to pause, or without one the whole queue; ``reason`` is told to everybody who waits."""

    provider: str | None = None
    reason: str | None = attrs.field(default=None, validator=attrs.validators.optional(max_len(_LONGEST_REASON)))


@attrs.frozen
class Resuming:
    """A provider to resume, or without one the whole queue."""

    provider: str | None = None


@attrs.frozen
class LimitValue:
    """The value that holds from now on."""

    value: int = attrs.field(validator=[ge(0), le(LARGEST_SEQ)])


@attrs.frozen
class Rejecting:
    """Why."""

    reason: str = attrs.field(default="", validator=max_len(_LONGEST_REASON))


@attrs.frozen
class Deciding:
    """One decision on many requests, each named by its id or by its job's."""

    decision: Literal["approve", "reject"]
    approval_ids: tuple[str, ...] = attrs.field(validator=[min_len(1), max_len(MOST_DECISIONS)])
    reason: str = attrs.field(default="", validator=max_len(_LONGEST_REASON))


@attrs.frozen
class Rule:
    """When a job needs an approval, as in the section ``approvals.rules`` of the configuration."""

    name: str = attrs.field(validator=max_len(200))
    condition: Condition
    value: float | str | None = None
    priority: int = attrs.field(default=0, validator=[ge(-(2**31)), le(2**31 - 1)])
    applies_to_provider: str | None = None
    applies_to_level: Level | None = None
    exempt_levels: tuple[Level, ...] = ()
    required_approver_level: Level = "lead"
    is_active: bool = True

    def with_id(self, rule_id: int = 0) -> ApprovalRule:
        """The rule, as it is kept."""
        return ApprovalRule(**attrs.asdict(self), rule_id=rule_id)


@attrs.frozen
class TryingRule:
    """A rule to try on the ``last`` jobs."""

    rule: Rule
    last: int = attrs.field(default=100, validator=[ge(1), le(MOST_JOBS)])


@attrs.frozen
class Pruning:
    """``dry_run``: only say how many would go."""

    dry_run: bool = False


@attrs.frozen
class SigningIn:
    """One of both: a ``code``, which is good once, or a ``token``."""

    code: str | None = None
    token: str | None = None


@attrs.frozen
class MakingToken:
    """For whom a token is (None: for who asks), at which level, and for how many seconds (None: it does not end).

    ``teams``: those that jobs submitted with it may name.
    """

    user_id: str | None = None
    level: Level = "viewer"
    org_id: str | None = None
    teams: tuple[str, ...] = ()
    name: str = ""
    expires_in: float | None = None
