"""A delivery (a webhook received) is applied once. It never moves a job backwards, and the job is asked about after
it.
"""

from __future__ import annotations

import attrs

from actors.jobs.deliveries import REMEMBERED, Delivered, DeliveryOutcome
from actors.jobs.records import Submission, SubmissionState
from actors.ledger.base import load_readable
from actors.ledger.dispatch import hand_over
from actors.ledger.observe import apply_observation
from actors.providers.deliveries import DeliveryEvent, DeliveryHint
from actors.store import Transaction, deliveries, holds

_DROPPED_AT_ONCE = 100
_LOOKED_AT = 16
_LOOKED_AT_FOR_ALL = 1000


def deliver(tx: Transaction, provider: str, event: DeliveryEvent, token: str | None) -> Delivered:
    """Apply one verified delivery, once. ``token``: that of the submission, if the sender got it."""
    if not _is_new(tx, provider, event.delivery_id):
        return Delivered(DeliveryOutcome.REPEATED)
    handed = deliveries.handed_as(tx.connection, provider, event.remote_id)
    if handed is not None:
        pair = load_readable(tx, handed.job_id)
        note = None
        if pair is not None and event.observation is not None:
            note = apply_observation(tx, pair, handed.key, event.observation).note
        return attrs.evolve(_about(tx, handed, DeliveryOutcome.APPLIED), note=note)
    lost = deliveries.with_token(tx.connection, provider, token) if token else None
    if lost is not None and lost.state is SubmissionState.UNKNOWN:
        # The answer to the submission was lost, and the provider tells of the job all the same.
        hand_over(tx, lost.key, {"id": event.remote_id}, event.observation)
        return _about(tx, lost, DeliveryOutcome.APPLIED)
    if lost is not None:  # the call is still being made: its answer may be older than what happened since
        return Delivered(DeliveryOutcome.UNMATCHED, look_at=(lost.key,))
    keys = tuple(deliveries.without_answer(tx.connection, provider, _LOOKED_AT))
    return Delivered(DeliveryOutcome.UNMATCHED, look_at=keys)


def take_hint(tx: Transaction, provider: str, hint: DeliveryHint, token: str | None) -> Delivered:
    """Apply one verified delivery that could not be parsed, once. Returns which jobs are to be looked at.

    This is the job that it names, else the one whose submission had ``token``, else, since it may be about any, all
    jobs.
    """
    if not _is_new(tx, provider, hint.delivery_id):
        return Delivered(DeliveryOutcome.REPEATED)
    connection, named = tx.connection, hint.remote_id
    found = deliveries.handed_as(connection, provider, named) if named is not None else None
    if found is None and token:
        found = deliveries.made_with(connection, provider, token)
    if found is not None:
        return _about(tx, found, DeliveryOutcome.UNREADABLE)
    if named is not None:
        keys = deliveries.without_answer(connection, provider, _LOOKED_AT)
    else:
        keys = deliveries.not_ended(connection, provider, _LOOKED_AT_FOR_ALL)
    return Delivered(DeliveryOutcome.UNREADABLE, look_at=tuple(keys))


def _is_new(tx: Transaction, provider: str, delivery_id: str) -> bool:
    if not deliveries.remember(tx.connection, provider, delivery_id, tx.now):
        return False
    if holds.current(tx.connection) is None:
        deliveries.drop(tx.connection, tx.now - REMEMBERED, _DROPPED_AT_ONCE)
    return True


def _about(tx: Transaction, submission: Submission, outcome: DeliveryOutcome) -> Delivered:
    """``outcome`` for the job of ``submission``; where its row is damaged, that: its provider has nothing to repeat."""
    pair = load_readable(tx, submission.job_id)
    if pair is None:
        return Delivered(DeliveryOutcome.DAMAGED, submission.job_id)
    job = pair.job
    look_at = () if job.is_terminal else (submission.key,)
    return Delivered(outcome, job.job_id, job.correlation_id, job.status.value, look_at)
