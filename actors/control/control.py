"""What a runtime offers to its edges: the command line, the HTTP API, the feed and whoever embeds it.

The edges know this page and nothing below it. Each method either does what it says, durably, or raises
:class:`~actors.jobs.refusal.Refused` (somebody asked for what cannot be) or
:class:`~actors.store.errors.StoreError` (it could not be kept); in both cases nothing was changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, Unpack

import attrs

from actors.access.sessions import Access
from actors.control.dead_letters import Leftovers
from actors.job_requests.rights import THE_PROGRAM, Submitter
from actors.jobs.deliveries import DeliveryOutcome
from actors.jobs.options import Limits
from actors.jobs.pages import Page
from actors.jobs.records import ApprovalRequest, ApprovalRule, ApprovalStatus, Event, Job, JobRequest
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import PruneResult
from actors.jobs.views import Accepted, DryRun, EventFilters, Gap, JobFilters, JobView, QueueView, RuleView
from actors.ledger.provider_views import ProviderView
from actors.net.client_faults import ClientFaults
from actors.providers.log_notices import LogNotice

__all__ = [
    "Accepted",
    "DeliveryOutcome",
    "DryRun",
    "Event",
    "EventFilters",
    "Gap",
    "Health",
    "JobFilters",
    "JobView",
    "LogNotice",
    "Page",
    "ProviderView",
    "PruneResult",
    "QueueView",
    "RefusalKind",
    "Refused",
    "RuleView",
    "Runtime",
]


@attrs.frozen
class Health:
    """Whether the runtime does its work. ``status``: ``ok``, or ``degraded``: it works, and somebody should look.

    ``reasons``: why it is degraded. ``notes``: what is no fault and worth knowing.
    """

    status: str
    reasons: tuple[str, ...]
    uncertain_jobs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Runtime(Protocol):
    """A runtime that runs: what :func:`actors.open_runtime` gives."""

    async def submit(self, request: JobRequest) -> Job:
        """Accept one job; it is stored when this returns. Raises :class:`Refused` naming the field and the fix."""
        ...

    async def submit_many(self, requests: Sequence[JobRequest]) -> list[Accepted]:
        """Accept all of ``requests`` in one transaction, or none of them."""
        ...

    async def wait(self, job_id: str) -> Job:
        """The job once it has reached an end."""
        ...

    async def cancel(self, job_id: str, *, by: str | None = None, level: str = "admin") -> Job:
        """End a job: one that waits at once, one that runs by asking its provider until it ends (B14).

        ``level``: of who cancels. An approval request that it may not decide is closed as decided by nobody.
        """
        ...

    async def retry(self, job_id: str, *, by: str | None = None, submitter: Submitter = THE_PROGRAM) -> Job:
        """A new job with ``retry_of``: what an ended one asked for, as a new request of ``submitter`` (B14, D1)."""
        ...

    async def settle(self, job_id: str, verdict: str, *, handle: Mapping[str, Any] | None = None, by: str) -> Job:
        """Decide by hand what became of an uncertain job: ``ran`` (with its handle), ``not_run``, ``failed`` (B13)."""
        ...

    async def approve(self, approval_id: str, *, by: str, level: str = "admin") -> ApprovalRequest:
        """Grant a request; refused when it is decided, expired, above the approver's level, or for a job of ``by``
        where ``approvals.self_approval`` is false."""
        ...

    async def reject(self, approval_id: str, *, by: str, reason: str = "", level: str = "admin") -> ApprovalRequest:
        """Reject a request: its job is cancelled."""
        ...

    async def job(self, part_of_id: str) -> JobView:
        """One job by its id or by what begins or ends exactly one id."""
        ...

    async def jobs(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        caller: str = "",
        **filters: Unpack[JobFilters],
    ) -> Page[JobView]:
        """A page of jobs, newest first: at most ``limit`` (1,000 at most) and 8 MiB of them, and always one.

        ``before``: only jobs older than this one. ``cursor``: ``next`` of the page before, which was asked for with the
        same filters by the same ``caller``; raises :class:`Refused` for another one.
        """
        ...

    async def queue(
        self, *, limit: int = 1000, user_id: str | None = None, cursor: str | None = None, caller: str = ""
    ) -> QueueView:
        """What waits and why, a page as :meth:`jobs` has it, all pages ordered as of the first one's instant.

        ``user_id``: only this user's entries, in their places among all.
        """
        ...

    async def approvals(
        self,
        *,
        statuses: Iterable[ApprovalStatus] = (),
        limit: int = 100,
        user_id: str | None = None,
        cursor: str | None = None,
        caller: str = "",
    ) -> Page[ApprovalRequest]:
        """A page of approval requests, newest first, as :meth:`jobs` has it; ``user_id``: of this user's jobs."""
        ...

    async def approval(self, approval_id: str) -> ApprovalRequest:
        """One request, named by its id or by its job's."""
        ...

    async def withdraw(self, approval_id: str, *, by: str | None = None, level: str = "admin") -> ApprovalRequest:
        """Take a request back: its job is cancelled. For another's job than ``by``'s it takes the request's level."""
        ...

    async def rules(self) -> list[RuleView]:
        """Every approval rule that holds, in the order in which rules are tried."""
        ...

    async def rule(self, rule_id: int) -> RuleView:
        """One of them."""
        ...

    async def add_rule(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Make a rule under a new id; it holds for the next submission and after a restart."""
        ...

    async def replace_rule(self, rule: ApprovalRule, *, by: str | None = None) -> RuleView:
        """Put ``rule`` in the place of the one of its id, configured or not."""
        ...

    async def remove_rule(self, rule_id: int, *, by: str | None = None) -> None:
        """Remove a rule, configured or not; requests that it caused stay as they are."""
        ...

    async def try_rule(self, rule: ApprovalRule, *, last: int = 100) -> DryRun:
        """Which of the ``last`` jobs ``rule`` would have held back."""
        ...

    async def limits(self) -> tuple[Limits, Mapping[str, str]]:
        """The limits that hold, and where each comes from: ``default``, ``file`` or ``stored``."""
        ...

    async def set_limit(self, name: str, value: int, *, by: str | None = None) -> Limits:
        """Change a limit now and keep it (B10). ``name``: a field of :class:`Limits` or ``per_provider.NAME``."""
        ...

    async def reset_limits(self, names: Iterable[str] = (), *, by: str | None = None) -> Limits:
        """Forget what was changed at run time (all of it, where no name is given)."""
        ...

    async def pause(self, provider: str | None, reason: str, *, by: str | None = None) -> None:
        """Dispatch nothing to a provider, or (None) nothing at all, until it is resumed; kept over a restart."""
        ...

    async def resume(self, provider: str | None, *, by: str | None = None) -> None:
        """Dispatch to a paused or closed provider again; None: to all that are not paused by themselves."""
        ...

    async def set_priority(self, job_id: str, override: int | None, *, by: str | None = None) -> JobView:
        """Override a waiting job's priority (0 to 50), or take the override away (B9)."""
        ...

    async def prune(self, *, dry_run: bool = False, yes: bool = False) -> PruneResult:
        """Remove now the jobs that were kept long enough (C6); ``dry_run``: only say how many would go.

        ``yes``: even where a hold keeps them because the clock may be wrong; else that is :class:`Refused`.
        """
        ...

    def logs(self, job_id: str, cursor: str | None = None, *, follow: bool = False) -> AsyncIterator[tuple[bytes, str]]:
        """A job's output as (bytes, cursor to go on from); with ``follow`` until the job ends.

        A line of ours in the middle of it, such as that the output became shorter, is a :class:`LogNotice`.
        """
        ...

    def follow_logs(
        self, job_id: str, cursor: str | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[bytes, str]]]:
        """A job's output from ``cursor`` until the job ends, as it comes."""
        ...

    def events(
        self, *, after: int | None = None, **filters: Unpack[EventFilters]
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Events after number ``after`` (None: from now on), without loss or doubles, until left."""
        ...

    async def past_events(self, *, after: int = 0, limit: int = 500, **filters: Unpack[EventFilters]) -> Page[Event]:
        """Events that are there already, in order; ``next``: the number to go on after, None: there are no more."""
        ...

    async def gap(self, after: int) -> Gap | None:
        """What a reader who saw everything up to number ``after`` can no longer be told; None: nothing."""
        ...

    def config(self) -> list[dict[str, Any]]:
        """The settings that hold: ``key``, ``value`` with secrets masked, ``source``."""
        ...

    @property
    def access(self) -> Access:
        """Tokens, sign-in and sessions: who may come in over the network."""
        ...

    @property
    def leftovers(self) -> Leftovers:
        """Dead letters and quarantine: messages that were not handled."""
        ...

    def tree(self) -> list[dict[str, Any]]:
        """The supervision tree as plain data: id, state, incarnation, restarts, uptime, mailbox, last failure."""
        ...

    async def providers(self, *, check: bool = False) -> list[ProviderView]:
        """How each provider stands: what it can do, its circuit breaker, and why nothing is dispatched there.

        ``check``: ask each of them, too, whether it answers and accepts its credentials; within 15 s.
        """
        ...

    async def health(self) -> Health:
        """Whether all is well."""
        ...

    @property
    def client_faults(self) -> ClientFaults:
        """Where servers count what clients do wrong."""
        ...

    async def metrics(self) -> bytes:
        """The state in Prometheus's text format."""
        ...

    async def push(
        self, provider: str, headers: Mapping[str, str], body: bytes | AsyncIterable[bytes], *, token: str | None = None
    ) -> DeliveryOutcome:
        """Take one delivery from a provider, once. ``headers`` have lower-case names; ``token``: of its address.

        ``body``: whole or in pieces; what its iterator raises beside ``DeliveryNotRead`` passes through.
        """
        ...

    async def idle(self) -> bool:
        """Whether nothing is pending or running (blocked jobs do not count)."""
        ...

    @property
    def started_at(self) -> datetime:
        """When this runtime became ready."""
        ...
