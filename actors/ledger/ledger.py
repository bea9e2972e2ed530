"""The only way to change jobs: a verb runs in the writer's transaction, then its events are logged and published.

A verb is a function ``verb(tx, ...)`` of a module of this package, a query a function ``query(connection, ...)``.
Callers name them: ``await ledger.write(approve, approval_id, by="ana", ...)``. Four callers write: operations of people
and programs, the poller, the scheduler and the expiry actor. After COMMIT, and only then, each event is logged under
its job's correlation ID and published on the bus.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs
from outcome import Outcome
from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.approval_rules import check_rule
from actors.jobs.file_rules import FileRules
from actors.jobs.ids import IdFactory
from actors.jobs.notify_options import NotifyOptions
from actors.jobs.options import ApprovalOptions, Limits, QueueOptions
from actors.jobs.records import ApprovalRule, Capacity, Event
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.reservations import USUAL_POLICY, ReservePolicy
from actors.jobs.views import Accepted
from actors.ledger.deaths import mark_orphans, note_stop
from actors.ledger.dispatch import Answer, Claimed, claim, record_answer
from actors.ledger.event_log import log_event
from actors.ledger.new_job import NewJob
from actors.ledger.notifications import Outbox
from actors.ledger.submit import submit
from actors.providers.breaker import BreakerAdvice
from actors.store import Store, Transaction
from logconf import get_correlation_id

T = TypeVar("T")
P = ParamSpec("P")


@attrs.frozen
class Sources:
    """The sources of identifiers, tokens and jitter; a simulation gives seeded ones."""

    ids: IdFactory = attrs.field(factory=IdFactory)
    token: Callable[[], str] = lambda: secrets.token_hex(16)
    jitter: Callable[[], float] = random.SystemRandom().random


class Ledger:
    """Writes through ``store`` and publishes events through ``publish`` (the bus).

    ``limits``, ``approvals``, ``queue`` and ``notify`` are configured, ``rules`` are the configured approval rules.
    Raises ``ValueError`` for an invalid rule. ``last_seen``: the number of the last event that the newest look at the
    queue (:meth:`claim`) took into account; events up to it make no further look necessary.
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
        notify: NotifyOptions | None = None,
    ) -> None:
        self.limits = limits
        self.approvals = approvals
        for rule in rules:
            check_rule(rule)
        self.configured_rules = tuple(rules)
        self.store = store
        self.queue = queue or QueueOptions()
        self.sources = sources or Sources()
        self._publish = publish
        self.last_seen = 0
        self._has_marked_orphans = False
        store.publish = self._publish_events
        self.outbox = store.outbox = Outbox(notify or NotifyOptions())

    def _publish_events(self, events: list[Event]) -> None:
        for event in events:
            log_event(event)
            self._publish(event)

    async def write(self, verb: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``verb`` in the writer's transaction and return its result once that is committed.

        Texts of people are in the keywords that :data:`actors.jobs.maxima.SAID` names. Raises :class:`Refused` if one
        exceeds its maximum, from whatever source, and everything that ``verb`` raises; nothing of the verb is then
        kept.
        """
        if "by" in kwargs:
            _check_said(kwargs)
        return await self.store.write(lambda tx: verb(tx, *args, **kwargs))

    async def write_each(
        self, verbs: Sequence[Callable[[Transaction], T]], *, by: str | None = None
    ) -> list[Outcome[T]]:
        """Run each of ``verbs`` independently, as many as fit in one transaction: one that raises undoes only its own
        changes.

        Returns the result of each, in their order, once it is committed. ``by``: as for :meth:`write`.
        """
        _check_said({"by": by})
        correlation_id = get_correlation_id()
        return await self.store.write_together([(correlation_id, verb) for verb in verbs])

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``query`` (of :mod:`actors.ledger.queries`, :mod:`actors.store`) on one consistent snapshot."""
        return await self.store.read(lambda connection: query(connection, *args, **kwargs))

    async def submit(self, new: Sequence[NewJob], file: FileRules | None = None) -> list[Accepted]:
        """Accept all of ``new`` or, by raising :class:`Refused`, none. ``file``: these are jobs of a job file."""
        return await self.write(
            submit, new, ids=self.sources.ids, rules=self.configured_rules, options=self.approvals,
            most_waiting=self.queue.max_waiting_per_user, file=file,
        )  # fmt: skip

    async def claim(
        self,
        capacities: Mapping[str, Capacity],
        breaker_advice: Mapping[str, BreakerAdvice] | None = None,
        answers: Sequence[Answer] = (),
        policy: ReservePolicy = USUAL_POLICY,
    ) -> Claimed:
        """Claim all jobs that may run now, with their intents; committed when this returns.

        ``answers``: recorded before that in the same transaction, see :meth:`record`. ``policy``: for which jobs
        resources are kept.
        """

        def look(tx: Transaction) -> Claimed:
            tx.after_commit(partial(setattr, self, "last_seen", tx.last_event()))
            advice, token = breaker_advice or {}, self.sources.token
            return claim(tx, capacities, advice, limits=self.limits, token=token, policy=policy)

        claimed: Claimed = (await self._record(answers, (get_correlation_id(), look)))[-1]
        return claimed

    async def record(self, answers: Sequence[Answer]) -> None:
        """Record providers' answers to submissions, in as few transactions as possible.

        The result of each is its ``outcome``; raises the first error among them.
        """
        await self._record(answers)

    async def _record(self, answers: Sequence[Answer], *more: tuple[str, Callable[[Transaction], Any]]) -> list[Any]:
        jitter, cycle = self.sources.jitter, get_correlation_id()
        closures = [(cycle, partial(record_answer, answer=one, jitter=jitter)) for one in answers]
        outcomes = await self.store.write_together([*closures, *more])
        for one, outcome in zip(answers, outcomes, strict=False):
            one.outcome = outcome
        return [outcome.unwrap() for outcome in outcomes]

    async def mark_orphans(self, in_flight: Set[str]) -> None:
        """Make every intent that is not ``in_flight`` an unknown outcome: the scheduler that made the call is gone.

        The first time it is the process that is gone: jobs that may have killed it are submitted alone from then on.
        """
        await self.write(mark_orphans, in_flight, first=not self._has_marked_orphans)
        self._has_marked_orphans = True

    async def note_stop(self) -> None:
        """This process ends in order, so its submissions did not kill it. Without :meth:`mark_orphans` it has none."""
        if self._has_marked_orphans:
            await self.write(note_stop)


def _check_said(said: Mapping[str, object]) -> None:
    for name, maximum in maxima.SAID.items():
        if (fault := maximum.fault(said.get(name))) is not None:
            raise Refused(f"{name} {fault}", RefusalKind.INVALID, name)
