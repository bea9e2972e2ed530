"""A delivery from outside, taken once: it never moves a job backwards, and the job is read back after it."""

from __future__ import annotations

import attrs

from actors.jobs.deliveries import REMEMBERED, Delivered, DeliveryOutcome
from actors.jobs.records import Submission, SubmissionState
from actors.ledger.base import load
from actors.ledger.dispatch import HandingOver
from actors.ledger.observe import apply_observation
from actors.providers.base import DeliveryEvent
from actors.providers.optional import DeliveryHint
from actors.store import Transaction, deliveries, holds

_DROPPED_AT_ONCE = 100
_LOOKED_AT = 16
_LOOKED_AT_FOR_ALL = 1000


@attrs.frozen
class Delivering:
    """The closure that takes one verified delivery. ``token``: of the hand-over, where the sender was given it."""

    provider: str
    event: DeliveryEvent
    token: str | None = None
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Delivered:
        if not _is_new(tx, self.provider, self.event.delivery_id):
            return Delivered(DeliveryOutcome.REPEATED)
        handed = deliveries.handed_as(tx.connection, self.provider, self.event.remote_id)
        if handed is not None:
            return self._apply(tx, handed)
        lost = deliveries.with_token(tx.connection, self.provider, self.token) if self.token else None
        if lost is not None and lost.state is SubmissionState.UNKNOWN:
            return self._adopt(tx, lost)
        # A call that is still being made answers for itself; what is unsettled is settled by asking.
        keys = tuple(deliveries.unknown(tx.connection, self.provider, _LOOKED_AT))
        return Delivered(DeliveryOutcome.UNMATCHED, look_at=keys)

    def _apply(self, tx: Transaction, handed: Submission) -> Delivered:
        note = None
        if self.event.observation is not None:
            pair = load(tx, handed.job_id)
            note = apply_observation(tx, pair, handed.key, self.event.observation, self.cycle).note
        return attrs.evolve(self._delivered(tx, handed), note=note)

    def _adopt(self, tx: Transaction, lost: Submission) -> Delivered:
        """The answer to the submission was lost, and the provider tells of the job all the same (B13)."""
        handle = {"id": self.event.remote_id}
        HandingOver(lost.key, handle, self.event.observation, self.cycle)(tx)
        return self._delivered(tx, lost)

    def _delivered(self, tx: Transaction, submission: Submission) -> Delivered:
        return _about(tx, submission, DeliveryOutcome.APPLIED)


@attrs.frozen
class Hinting:
    """The closure that takes one verified delivery that could not be read, once: which jobs are to be looked at.

    The one that it names; else the one whose hand-over had ``token``; else, since it may be about any, all of them.
    """

    provider: str
    hint: DeliveryHint
    token: str | None = None

    def __call__(self, tx: Transaction) -> Delivered:
        if not _is_new(tx, self.provider, self.hint.delivery_id):
            return Delivered(DeliveryOutcome.REPEATED)
        connection, named = tx.connection, self.hint.remote_id
        found = deliveries.handed_as(connection, self.provider, named) if named is not None else None
        if found is None and self.token:
            found = deliveries.made_with(connection, self.provider, self.token)
        if found is not None:
            return _about(tx, found, DeliveryOutcome.UNREADABLE)
        if named is not None:
            keys = deliveries.unknown(connection, self.provider, _LOOKED_AT)
        else:
            keys = deliveries.not_ended(connection, self.provider, _LOOKED_AT_FOR_ALL)
        return Delivered(DeliveryOutcome.UNREADABLE, look_at=tuple(keys))


def _is_new(tx: Transaction, provider: str, delivery_id: str) -> bool:
    if not deliveries.remember(tx.connection, provider, delivery_id, tx.now):
        return False
    if holds.current(tx.connection) is None:
        deliveries.drop(tx.connection, tx.now - REMEMBERED, _DROPPED_AT_ONCE)
    return True


def _about(tx: Transaction, submission: Submission, outcome: DeliveryOutcome) -> Delivered:
    job = load(tx, submission.job_id).job
    look_at = () if job.is_terminal else (submission.key,)
    return Delivered(outcome, job.job_id, job.correlation_id, job.status.value, look_at)
