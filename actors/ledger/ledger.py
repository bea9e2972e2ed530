"""The one door by which a job changes: a closure runs in the writer's transaction, then its events are told.

Four writers come through here (the edges, the poller, the scheduler, the expiry); none of them writes rows itself.
After COMMIT, and only then, each event is logged under its job's correlation ID and published on the bus.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs

from actors.jobs import maxima
from actors.jobs.approval_rules import check_rule
from actors.jobs.ids import IdFactory
from actors.jobs.options import ApprovalOptions, Limits, QueueOptions
from actors.jobs.records import ApprovalRequest, ApprovalRule, Capacity, Event, Job, Observation
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import DispatchVerdict
from actors.jobs.views import Accepted, RuleView
from actors.ledger import limits as run_time_limits
from actors.ledger.approvals import Approving, Cancelling, Expired, Expiring, Prioritising, Rejecting, Withdrawing
from actors.ledger.base import Pair
from actors.ledger.deaths import Disowning, note_stop
from actors.ledger.dispatch import Claimed, Claiming, FailingDispatch, HandingOver, job_of
from actors.ledger.event_log import tell
from actors.ledger.limits import Pausing, ResettingLimits, Resuming, SettingLimit
from actors.ledger.observe import Recorded, Recording
from actors.ledger.prune import DroppingKeys, ReleasingHold, Removing, Review, Reviewing
from actors.ledger.remarks import Remarking
from actors.ledger.rules import AddingRule, RemovingRule, ReplacingRule
from actors.ledger.settle import FlaggingUncertain, SettlingAbsent, SettlingByHand
from actors.ledger.submit import NewJob, Submitting
from actors.providers.breaker import BreakerAdvice
from actors.providers.guard import Failure
from actors.store import Store, Transaction
from logconf import get_correlation_id

T = TypeVar("T")


@attrs.frozen
class Sources:
    """Where identifiers, tokens and jitter come from; a simulation gives seeded ones."""

    ids: IdFactory = attrs.field(factory=IdFactory)
    token: Callable[[], str] = lambda: secrets.token_hex(16)
    jitter: Callable[[], float] = random.SystemRandom().random


class Ledger:
    """Writes through ``store``, tells through ``publish`` (the bus), under ``limits``, ``approvals`` and ``queue``.

    Raises ``ValueError`` for a rule that makes no sense.
    """

    def __init__(
        self,
        store: Store,
        *,
        publish: Callable[[Event], None],
        limits: Limits,
        approvals: ApprovalOptions,
        rules: Sequence[ApprovalRule] = (),
        sources: Sources | None = None,
        queue: QueueOptions | None = None,
    ) -> None:
        self.limits = limits
        self.approvals = approvals
        for rule in rules:
            check_rule(rule)
        self.configured_rules = tuple(rules)
        self.store = store
        self._publish = publish
        self._most_waiting = (queue or QueueOptions()).max_waiting_per_user
        self._sources = sources or Sources()
        self._suspects: set[str] | None = None  # jobs in whose hand-over a process died; None: not read yet
        store.publish = self._tell

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            tell(event)
            self._publish(event)

    async def _write(self, closure: Callable[[Transaction], T]) -> T:
        if hasattr(closure, "by"):
            _check_said(closure)
        return await self.store.write(closure)

    async def read(self, query: Callable[..., T]) -> T:
        """Run a query of :mod:`actors.ledger.reading` on one consistent snapshot."""
        return await self.store.read(query)

    # Edges.

    async def submit(self, new: Sequence[NewJob]) -> list[Accepted]:
        """Accept all of ``new`` or, by raising :class:`~actors.jobs.refusal.Refused`, none of it."""
        closure = Submitting(
            new, ids=self._sources.ids, rules=self.configured_rules, options=self.approvals,
            most_waiting=self._most_waiting,
        )  # fmt: skip
        return await self._write(closure)

    async def cancel(self, job_id: str, by: str | None, level: str = "admin") -> Job:
        """End a waiting job now; ask for the end of one that was handed over."""
        return await self._write(Cancelling(job_id, by, level, get_correlation_id()))

    async def approve(self, approval_id: str, by: str, level: str) -> ApprovalRequest:
        """Grant a request in time."""
        allowed = self.approvals.self_approval
        return await self._write(Approving(approval_id, by, level, get_correlation_id(), self_approval=allowed))

    async def reject(self, approval_id: str, by: str, reason: str, level: str) -> ApprovalRequest:
        """Reject a request in time."""
        return await self._write(Rejecting(approval_id, by, reason, level, get_correlation_id()))

    async def withdraw(self, approval_id: str, by: str | None, level: str = "admin") -> ApprovalRequest:
        """Take a request back: its job is cancelled."""
        return await self._write(Withdrawing(approval_id, by, level, get_correlation_id()))

    async def add_rule(self, rule: ApprovalRule, by: str | None) -> RuleView:
        """Make an approval rule."""
        return await self._write(AddingRule(rule, self.configured_rules, by, get_correlation_id()))

    async def replace_rule(self, rule: ApprovalRule, by: str | None) -> RuleView:
        """Put an approval rule in the place of the one of its id."""
        return await self._write(ReplacingRule(rule, self.configured_rules, by, get_correlation_id()))

    async def remove_rule(self, rule_id: int, by: str | None) -> None:
        """Remove an approval rule."""
        await self._write(RemovingRule(rule_id, self.configured_rules, by, get_correlation_id()))

    async def prioritise(self, job_id: str, override: int | None, by: str | None) -> Pair:
        """Override a waiting job's priority."""
        return await self._write(Prioritising(job_id, override, by, get_correlation_id()))

    async def settle(self, job_id: str, verdict: str, handle: Mapping[str, Any] | None, by: str) -> Pair:
        """Take a person's word on an uncertain job."""
        return await self._write(SettlingByHand(job_id, verdict, handle, by, get_correlation_id()))

    async def set_limit(self, name: str, value: int, by: str | None) -> None:
        """Change a limit and keep it."""
        run_time_limits.check_limit(name, value)
        await self._write(SettingLimit(name, value, by, get_correlation_id()))

    async def reset_limits(self, names: Iterable[str], by: str | None) -> None:
        """Return to the configured limits."""
        for name in names:
            run_time_limits.check_limit(name, 0)
        await self._write(ResettingLimits(tuple(names), by, get_correlation_id()))

    async def pause(self, provider: str | None, reason: str, by: str | None) -> None:
        """Dispatch nothing to a provider, or (None) nothing at all, until it is resumed."""
        await self._write(Pausing(provider, reason, by, get_correlation_id()))

    async def resume(self, provider: str | None, by: str | None) -> None:
        """Dispatch to a provider, or (None) at all, again."""
        await self._write(Resuming(provider, by, get_correlation_id()))

    # Scheduler.

    async def disown(self, in_flight: frozenset[str]) -> int:
        """Declare every intent but those ``in_flight`` an unknown outcome: whoever made the call is gone.

        The first time, the process that made it: jobs that may have killed it are handed over alone from then on.
        """
        first = self._suspects is None
        disowned = await self._write(Disowning(in_flight, get_correlation_id(), first))
        if first:
            self._suspects = set(disowned.suspects)
        return disowned.orphans

    async def note_stop(self) -> None:
        """This process ends in order: what is in hand-over now does not kill it."""
        await self._write(note_stop)

    def _is_suspected(self, key: str) -> bool:
        return self._suspects is None or job_of(key) in self._suspects

    def _forgive(self, key: str) -> None:
        if self._suspects is not None:
            self._suspects.discard(job_of(key))

    async def claim(
        self, capacities: Mapping[str, Capacity], breaker_advice: Mapping[str, BreakerAdvice] | None = None
    ) -> Claimed:
        """Claim all that may run now, with its intents; committed when this returns."""
        token, suspects = self._sources.token, frozenset(self._suspects or ())
        cycle = get_correlation_id()
        return await self._write(Claiming(self.limits, capacities, token, cycle, breaker_advice or {}, suspects))

    async def handed_over(self, key: str, handle: Mapping[str, Any], observation: Observation | None) -> bool:
        """The provider has it."""
        suspected = self._is_suspected(key)
        accepted = await self._write(HandingOver(key, handle, observation, get_correlation_id(), suspected))
        self._forgive(key)
        return accepted

    async def dispatch_failed(self, key: str, failure: Failure) -> DispatchVerdict | None:
        """The call did not succeed; what follows depends on its kind."""
        jitter, suspected = self._sources.jitter, self._is_suspected(key)
        verdict = await self._write(FailingDispatch(key, failure, jitter, get_correlation_id(), suspected))
        self._forgive(key)
        return verdict

    # Poller.

    async def record(self, observations: Mapping[str, Observation]) -> list[Recorded]:
        """What providers said, by submission key."""
        return await self._write(Recording(observations, get_correlation_id()))

    async def remark(self, key: str, text: str) -> None:
        """What a provider says of a job that has ended; a job that is gone is none."""
        await self._write(Remarking(key, text, get_correlation_id()))

    async def settle_absent(self, key: str) -> bool:
        """The provider surely never had it: back into the queue."""
        return await self._write(SettlingAbsent(key, self._sources.jitter, get_correlation_id()))

    async def flag_uncertain(self, job_id: str, reason: str) -> None:
        """Nobody can tell whether it runs: a person must."""
        await self._write(FlaggingUncertain(job_id, reason, get_correlation_id()))

    # Expiry.

    async def expire(self, approval_id: str) -> Expired | None:
        """End one request past its deadline; None where somebody decided it first."""
        return await self._write(Expiring(approval_id, get_correlation_id()))

    # Pruner.

    async def review_pruning(self, before: datetime | None, ran: float = 0.0) -> Review:
        """Whether a pass may remove anything now; ``ran``: seconds run since the last review."""
        return await self._write(Reviewing(before, ran))

    async def release_hold(self) -> None:
        """End the hold of a clock that leapt, by hand."""
        await self._write(ReleasingHold())

    async def remove(self, before: datetime, job_ids: Sequence[str]) -> tuple[int, int]:
        """Remove those of ``job_ids`` that ended ``before``: how many jobs, and how many events of theirs."""
        return await self._write(Removing(before, job_ids))

    async def drop_keys(self, limit: int) -> int:
        """Remove idempotency keys that no longer bind, at most ``limit`` of them: how many."""
        return await self._write(DroppingKeys(limit))


def _check_said(closure: object) -> None:
    """Raises :class:`Refused` for what a person says beyond its maximum, whichever way in it came."""
    for name, maximum in maxima.SAID.items():
        if (fault := maximum.fault(getattr(closure, name, None))) is not None:
            raise Refused(f"{name} {fault}", RefusalKind.INVALID, name)
