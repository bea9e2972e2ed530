"""Eleven safeguards of the queue, of hand-overs and of approvals, each with a way to take it out (``planted.py``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs
import pytest
import trio

from actors import expiry
from actors.jobs import lifecycle
from actors.jobs.lifecycle import Step, Trigger
from actors.jobs.records import JobStatus, QueueStatus
from actors.jobs.retry import FailureKind
from actors.ledger import Ledger, dispatch, keys
from actors.ledger import approvals as approval_verbs
from actors.poller import cancels
from actors.simulation.rules import Rule
from actors.store import gates, queue


def cancel_that_is_sent(patch: pytest.MonkeyPatch) -> None:
    """A cancel is written down and counts as sent."""

    async def send(self, one):
        await trio.lowlevel.checkpoint()
        self._note(one.key, taken=True)

    patch.setattr(cancels.Cancels, "send", send)


def cancel_of_before_a_restart(patch: pytest.MonkeyPatch) -> None:
    """What was asked for before the process began is not asked of the provider again."""
    made, cancelled = cancels.Cancels.__init__, cancels._cancelled
    began = []

    def begin(self, provider):
        began.append(datetime.fromtimestamp(time.time(), UTC))
        made(self, provider)

    patch.setattr(cancels.Cancels, "__init__", begin)
    patch.setattr(
        cancels, "_cancelled", lambda held: [x for x in cancelled(held) if x.job.cancel_requested_at >= began[-1]]
    )


def no_step_back(patch: pytest.MonkeyPatch) -> None:
    """A job that runs is queued again where its provider says so."""
    state = (JobStatus.RUNNING, QueueStatus.RUNNING, Trigger.OBSERVE_QUEUED)
    pairs, step = lifecycle.TRANSITIONS[Trigger.OBSERVE_QUEUED]
    patch.setitem(lifecycle._STEPS, state, Step(step.job, step.entry, step.event))
    patch.setitem(lifecycle.TRANSITIONS, Trigger.OBSERVE_QUEUED, ((*pairs, state[:2]), step))


def retry_after(patch: pytest.MonkeyPatch) -> None:
    """How long a provider asks to be left alone is not read."""
    after = dispatch.after_failed_dispatch

    def unread(kind, message, entry, now, _retry_after, consecutive, jitter):
        return after(kind, message, entry, now, None, consecutive, jitter)

    patch.setattr(dispatch, "after_failed_dispatch", unread)


def pauses(patch: pytest.MonkeyPatch) -> None:
    """What is paused is open."""
    closed = gates.Gate.closed
    patch.setattr(gates.Gate, "closed", lambda self, now: closed(attrs.evolve(self, paused_reason=None), now))


def level_of_the_approver(patch: pytest.MonkeyPatch) -> None:
    """Anybody may decide."""
    patch.setattr(approval_verbs, "_check_level", lambda _request, _level: None)


def key_of_one_user(patch: pytest.MonkeyPatch) -> None:
    """An idempotency key is everybody's."""
    pair = keys._pair

    def everybodys(request):
        found = pair(request)
        return None if found is None else ("", found[1])

    patch.setattr(keys, "_pair", everybodys)


def unknown_outcomes_in_the_organisation(patch: pytest.MonkeyPatch) -> None:
    """A job whose answer was lost does not count for its organisation."""
    running = queue.running
    query = (
        "SELECT q.org_id, q.user_id, q.team_id, q.provider FROM queue_entries q JOIN submissions s"
        " ON s.job_id = q.job_id WHERE q.status = 'running' AND s.state = 'unknown'"
    )

    def less(connection):
        unknown = list(map(tuple, connection.exec_driver_sql(query)))
        found = []
        for one in running(connection):
            whose = (one.org_id or "", one.user_id, one.team_id or "", one.provider)
            number = min(unknown.count(whose), one.count)
            found += [attrs.evolve(one, count=one.count - number), attrs.evolve(one, org_id=None, count=number)]
        return [one for one in found if one.count]

    patch.setattr(queue, "running", less)


def back_off(patch: pytest.MonkeyPatch) -> None:
    """After a failed attempt the next one follows at once."""
    after = dispatch.after_failed_dispatch

    def at_once(kind, *rest):
        verdict = after(kind, *rest)
        return attrs.evolve(verdict, not_before=None, wait=None) if kind is FailureKind.OTHER else verdict

    patch.setattr(dispatch, "after_failed_dispatch", at_once)


def orphans(patch: pytest.MonkeyPatch) -> None:
    """An intent that nobody is handing over stays one."""

    async def leave(self, _in_flight):
        await trio.lowlevel.checkpoint()

    patch.setattr(Ledger, "mark_orphans", leave)


def last_second_before_a_deadline(patch: pytest.MonkeyPatch) -> None:
    """Approvals expire a second early."""
    is_expired, deadlines, second = approval_verbs.is_expired, expiry.deadlines, timedelta(seconds=1)

    def a_second_earlier(connection, now):
        due, following = deadlines(connection, now + second)
        return due, None if following is None else following - second

    patch.setattr(approval_verbs, "is_expired", lambda request, now: is_expired(request, now + second))
    patch.setattr(expiry, "deadlines", a_second_earlier)


PLANTED_SAFEGUARDS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    cancel_that_is_sent: {Rule.CANCELS},
    cancel_of_before_a_restart: {Rule.CANCELS},
    no_step_back: {Rule.IN_TABLE},
    retry_after: {Rule.RETRY_AFTER},
    pauses: {Rule.PAUSED},
    level_of_the_approver: {Rule.LEVEL},
    key_of_one_user: {Rule.OWN_KEY},
    unknown_outcomes_in_the_organisation: {Rule.CLAIMS},
    back_off: {Rule.BACK_OFF},
    orphans: {Rule.ORPHANS, Rule.ALONE},
    last_second_before_a_deadline: {Rule.DEADLINE, Rule.CAUSED},
}
"""Each with the rules by which it is noticed."""
