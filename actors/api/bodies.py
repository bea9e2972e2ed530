"""The classes of request bodies and query parameters, by which they are checked and described in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs
from attrs.validators import ge, le, min_len, optional

from actors.control.event_reader import LARGEST_SEQ
from actors.job_requests.rules import RULE, Level
from actors.jobs import maxima, maximum
from actors.jobs.levels import HIGHEST_OVERRIDE
from actors.jobs.quantities import Seconds, WholeSeconds
from actors.jobs.records import ApprovalRule, ApprovalStatus, JobStatus
from actors.jobs.views import JobSort
from actors.validation import StrictConverter

_NAME, _CURSOR, _REASON = maximum.Text(maxima.NAME), maximum.Text(maxima.CURSOR), maximum.Text(maxima.REASON)
_OLD_NAME: list[Any] = [min_len(1), maximum.Text(255)]  # names could be so long before they had a maximum
_FEW, _NAMES = maximum.Items(maxima.CHOICES), maximum.Items(maxima.CHOICES, _NAME)
_TYPES = maximum.Items(maxima.CHOICES, maximum.Text(maxima.CURSOR))  # one text may name several
_PAGE = [ge(1), le(maxima.ROWS)]
OVERRIDE = attrs.validators.optional([ge(0), le(HIGHEST_OVERRIDE)])


@attrs.frozen
class Nothing:
    """No field or no parameter."""


@attrs.frozen
class JobsQuery:
    """Which jobs to list. ``name``: a pattern such as ``train-*``; ``q``: part of an id, user, name or error.

    ``since``, ``until``: submitted at that time or later, and before it. ``before``: only jobs older than this one.

    ``sort``: the value by which jobs are ordered; jobs without a name, a group, a start or an end come last, the newest
    first. ``order``: ``desc`` is the greatest, or newest, first. ``before`` is allowed only if the newest come first.

    ``cursor``: ``next`` of the page before, with the same other parameters.
    """

    status: tuple[JobStatus, ...] = attrs.field(default=(), validator=_FEW)
    user_id: str | None = attrs.field(default=None, validator=_NAME)
    org_id: str | None = attrs.field(default=None, validator=_NAME)
    provider: str | None = attrs.field(default=None, validator=_NAME)
    name: str | None = attrs.field(default=None, validator=_NAME)
    group: str | None = attrs.field(default=None, validator=_NAME)
    q: str | None = attrs.field(default=None, validator=_NAME)
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = attrs.field(default=None, validator=_NAME)
    sort: JobSort = JobSort.CREATED
    order: Literal["asc", "desc"] = "desc"
    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    limit: int = attrs.field(default=100, validator=_PAGE)


@attrs.frozen
class QueueQuery:
    """The most entries of a page. ``cursor``: ``next`` of the page before."""

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    limit: int = attrs.field(default=maxima.ROWS, validator=[ge(0), le(maxima.ROWS)])


@attrs.frozen
class ApprovalsQuery:
    """Which approval requests to list, and at most how many. ``cursor``: ``next`` of the page before, of the same
    statuses.
    """

    status: tuple[ApprovalStatus, ...] = attrs.field(default=(), validator=_FEW)
    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    limit: int = attrs.field(default=100, validator=_PAGE)


@attrs.frozen
class ListQuery:
    """At most how many rows of a list. ``cursor``: ``next`` of the page before."""

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    limit: int = attrs.field(default=maxima.ROWS, validator=_PAGE)


@attrs.frozen
class ProvidersQuery:
    """``check``: also ask each provider whether it answers and accepts its credentials, within 15 s."""

    check: bool = False


@attrs.frozen
class EventsQuery:
    """Events after number ``after``: of one job, of these types (separated by commas), of one user's jobs.

    ``named``: false sends all of them without a name, so that a browser needs no list of the types.
    """

    after: int | None = attrs.field(default=None, validator=attrs.validators.optional([ge(0), le(LARGEST_SEQ)]))
    job_id: str | None = attrs.field(default=None, validator=_NAME)
    types: tuple[str, ...] = attrs.field(default=(), validator=_TYPES)
    user: str | None = attrs.field(default=None, validator=_NAME)
    named: bool = True


@attrs.frozen
class JobEventsQuery:
    """Events of a job after number ``after``, at most ``limit``. ``progress``: include its reports of progress."""

    after: int = attrs.field(default=0, validator=[ge(0), le(LARGEST_SEQ)])
    limit: int = attrs.field(default=maxima.ROWS, validator=_PAGE)
    progress: bool = True


@attrs.frozen
class RetryRequest:
    """``with_dependants``: also submit again the jobs that were cancelled because this one did not complete.

    ``changes``: what the new job has instead, as a merge patch (RFC 7396) of the request: null removes a value, a key
    that is not named stays as it is. Fields: ``config_name``, ``group``, ``priority_override``, ``max_runtime``,
    ``idempotency_key``, and key by key ``resources``, ``params`` and ``spec``.
    """

    with_dependants: bool = False
    changes: Mapping[str, Any] | None = attrs.field(default=None, validator=maximum.Tree(maxima.SPEC))


@attrs.frozen
class SettleRequest:
    """How an uncertain job ended: it ``ran`` (give its ``handle``), did ``not_run``, or ``failed``."""

    verdict: Literal["ran", "not_run", "failed"]
    handle: Mapping[str, Any] | None = attrs.field(default=None, validator=maximum.Tree(maxima.SPEC))


@attrs.frozen
class PriorityRequest:
    """A priority override, or null to remove it."""

    priority_override: int | None = attrs.field(validator=OVERRIDE)


@attrs.frozen
class ResumeRequest:
    """A provider to resume; without one, the whole queue."""

    provider: str | None = attrs.field(default=None, validator=_NAME)


@attrs.frozen
class PauseRequest(ResumeRequest):
    """A provider to pause; without one, the whole queue. ``reason`` is shown for every job that waits."""

    reason: str | None = attrs.field(default=None, validator=_REASON)


@attrs.frozen
class LimitValue:
    """The new value of a limit."""

    value: int = attrs.field(validator=[ge(0), le(LARGEST_SEQ)])


@attrs.frozen
class RejectRequest:
    """The reason of a rejection."""

    reason: str = attrs.field(default="", validator=_REASON)


@attrs.frozen
class DecisionRequest:
    """One decision about many requests, each named by its id or by its job's."""

    decision: Literal["approve", "reject"]
    approval_ids: tuple[str, ...] = attrs.field(validator=[min_len(1), maximum.Items(maxima.DECISIONS, _NAME)])
    reason: str = attrs.field(default="", validator=_REASON)


@attrs.frozen
class TryRuleRequest:
    """A rule to try on the ``last`` jobs."""

    rule: ApprovalRule
    last: int = attrs.field(default=100, validator=_PAGE)


@attrs.frozen
class PruneRequest:
    """``dry_run``: only say how many jobs would be removed. ``yes``: also if pruning is on hold, and end the hold.

    ``seconds``: answer after about this time; the next request sends ``next`` of that answer as ``after``.
    """

    dry_run: bool = False
    yes: bool = False
    seconds: WholeSeconds | None = attrs.field(default=None, validator=optional([ge(1), le(3600)]))
    after: str | None = attrs.field(default=None, validator=_NAME)


@attrs.frozen
class SignInRequest:
    """Either a ``code``, which is valid once, or a ``token``."""

    code: str | None = attrs.field(default=None, validator=_NAME)
    token: str | None = attrs.field(default=None, validator=_NAME)


@attrs.frozen
class SessionsQuery:
    """The user whose sessions are ended."""

    user_id: str = attrs.field(validator=_OLD_NAME)


@attrs.frozen
class TokenRequest:
    """The user of a new token (None: the caller), its level, and for how many seconds it is valid (None: for ever).

    ``teams``: those that jobs submitted with it may name.
    """

    user_id: str | None = attrs.field(default=None, validator=_NAME)
    level: Level = "viewer"
    org_id: str | None = attrs.field(default=None, validator=_NAME)
    teams: tuple[str, ...] = attrs.field(default=(), validator=_NAMES)
    name: str = attrs.field(default="", validator=_NAME)
    expires_in: Seconds | None = None


CONVERTER = StrictConverter({ApprovalRule: RULE})
"""Reads these classes."""
