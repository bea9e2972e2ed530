"""A delivery from outside, taken once: it never moves a job backwards, and the job is read back after it."""

from __future__ import annotations

import attrs

from actors.jobs.deliveries import REMEMBERED, Delivered, DeliveryOutcome
from actors.jobs.records import Submission, SubmissionState
from actors.ledger.base import load
from actors.ledger.dispatching import HandingOver
from actors.ledger.observing import apply_observation
from actors.providers.base import PushEvent
from actors.store import Transaction, deliveries, holds

_DROPPED_AT_ONCE = 100
_LOOKED_AT = 16


@attrs.frozen
class Delivering:
    """The closure that takes one verified delivery. ``token``: of the hand-over, where the sender was given it."""

    provider: str
    event: PushEvent
    token: str | None = None
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> Delivered:
        if not deliveries.remember(tx.connection, self.provider, self.event.delivery_id, tx.now):
            return Delivered(DeliveryOutcome.REPEATED)
        if holds.current(tx.connection) is None:
            deliveries.drop(tx.connection, tx.now - REMEMBERED, _DROPPED_AT_ONCE)
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
        job = load(tx, submission.job_id).job
        look_at = () if job.is_terminal else (submission.key,)
        status = job.status.value
        return Delivered(DeliveryOutcome.APPLIED, job.job_id, job.correlation_id, status, look_at)
