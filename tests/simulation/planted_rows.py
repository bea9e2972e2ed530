"""What a row, an event or an answer may get wrong, each planted alone (see ``planted.py``)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.control.event_reader import RecentEvents
from actors.control.jobs import Jobs
from actors.jobs import lifecycle
from actors.jobs.events import EventType
from actors.jobs.lifecycle import Trigger
from actors.jobs.notifications import Notification
from actors.jobs.records import JobStatus, QueueStatus
from actors.jobs.refusal import Refused
from actors.jobs.sweeps import Sweep
from actors.jobs.views import Viewer
from actors.ledger import approvals as approval_verbs
from actors.ledger import base, dispatch, rules
from actors.simulation.database import Database
from actors.simulation.rules import Rule
from actors.store import dependencies, lanes

Plant = Callable[[pytest.MonkeyPatch], None]


def known_type_of_event(patch: pytest.MonkeyPatch) -> None:
    """A hand-over is told of as something that no world has."""
    emit = dispatch.emit

    def told(tx, job, type_, **data):
        emit(tx, job, EventType.JOB_RESULTS_NOT_COPIED if type_ is EventType.JOB_HANDED_OVER else type_, **data)

    patch.setattr(dispatch, "emit", told)


def status_in_an_event(patch: pytest.MonkeyPatch) -> None:
    """An event that changes no status tells of another one."""
    emit = dispatch.emit
    patch.setattr(dispatch, "emit", lambda tx, job, type_, **data: emit(tx, job, type_, **{**data, "status": "queued"}))


def time_of_an_end(patch: pytest.MonkeyPatch) -> None:
    """A job that has ended does not say when."""
    change = base.change

    def timeless(tx, pair, *, job=None, entry=None):
        return change(
            tx, pair, job={**job, "completed_at": None} if job and "completed_at" in job else job, entry=entry
        )

    patch.setattr(base, "change", timeless)


def count_of_a_lane(patch: pytest.MonkeyPatch) -> None:
    """Who leaves a lane that others stand in is still counted."""
    leave = lanes.leave

    def stays(connection, lane_id, job_ids):
        leave(connection, lane_id, job_ids)
        connection.exec_driver_sql("UPDATE lanes SET count = count + 1 WHERE lane_id = ?", (lane_id,))

    patch.setattr(lanes, "leave", stays)


def counts_by_status(patch: pytest.MonkeyPatch) -> None:
    """A change of a status is not counted."""
    made = Database.__init__

    def uncounted(self):
        made(self)
        self.look("DROP TRIGGER jobs_counted")

    patch.setattr(Database, "__init__", uncounted)


def own_jobs_alone(patch: pytest.MonkeyPatch) -> None:
    """Who sees only their own jobs is shown everybody's."""
    patch.setattr(Viewer, "sees", lambda self, user_id: True)


def rules_of_others(patch: pytest.MonkeyPatch) -> None:
    """Who removes a rule removes the one before it too."""
    remove = rules.remove_rule

    def two(tx, rule_id, *, configured, by):
        for view in rules.rules_now(tx.connection, configured):
            if view.rule.rule_id in (rule_id, rule_id - 1):
                remove(tx, view.rule.rule_id, configured=configured, by=by)

    patch.setattr(rules, "remove_rule", two)


def batch_as_a_whole(patch: pytest.MonkeyPatch) -> None:
    """Of a batch that is refused the jobs before the wrong one are there."""
    submit_many = Jobs.submit_many

    async def one_by_one(self, items, *rest, **more):
        found = []
        for item in items:
            found += await submit_many(self, [item], *rest, **more)
        return found

    patch.setattr(Jobs, "submit_many", one_by_one)


def sweep_that_is_accepted(patch: pytest.MonkeyPatch) -> None:
    """A matrix is refused though nothing is wrong with it."""
    submit_many = Jobs.submit_many

    async def without_matrices(self, items, *rest, **more):
        if any(isinstance(item, Sweep) for item in items):
            raise Refused("no matrix today")
        return await submit_many(self, items, *rest, **more)

    patch.setattr(Jobs, "submit_many", without_matrices)


def every_event_for_subscribers(patch: pytest.MonkeyPatch) -> None:
    """Who follows events from memory misses the first of those that wait."""
    after = RecentEvents.after

    def later(self, seq):
        found = after(self, seq)
        return found[1:] if found and len(found) > 1 else found

    patch.setattr(RecentEvents, "after", later)


def ends_alone_are_followed(patch: pytest.MonkeyPatch) -> None:
    """A claim is followed as if it were an end."""
    advance = dispatch.advance

    def noted(tx, pair, trigger, **more):
        if trigger is Trigger.CLAIM and pair.entry.is_awaited:
            dependencies.note_end(tx.connection, pair.job.job_id, tx.now)
        return advance(tx, pair, trigger, **more)

    patch.setattr(dispatch, "advance", noted)


def slot_of_what_is_handed_over(patch: pytest.MonkeyPatch) -> None:
    """A cancel ends a job at once while it is being handed over."""
    _, step = lifecycle.TRANSITIONS[Trigger.CANCEL_WAITING]
    patch.setitem(lifecycle._STEPS, (JobStatus.UPLOADING, QueueStatus.RUNNING, Trigger.CANCEL_WAITING), step)
    cancel = approval_verbs.cancel

    def at_once(tx, job_id, *, by, level):
        pair = base.load(tx, job_id)
        if pair.job.status is JobStatus.UPLOADING:
            return base.advance(tx, pair, Trigger.CANCEL_WAITING).job
        return cancel(tx, job_id, by=by, level=level)

    patch.setattr(approval_verbs, "cancel", at_once)


def number_of_a_notification(patch: pytest.MonkeyPatch) -> None:
    """All notifications have one number."""
    patch.setattr(Notification, "message_id", property(lambda _self: "the same"))


PLANTED_ROWS: dict[Plant, set[str]] = {
    known_type_of_event: {Rule.KNOWN_EVENTS},
    status_in_an_event: {Rule.STATUS_IN_EVENTS},
    time_of_an_end: {Rule.ENDS_HAVE_TIME},
    count_of_a_lane: {Rule.LANES_COUNT},
    counts_by_status: {Rule.STATUS_COUNTS},
    batch_as_a_whole: {Rule.REFUSED_NO_ROW},
    sweep_that_is_accepted: {Rule.WHOLE_SWEEP},
    every_event_for_subscribers: {Rule.SUBSCRIBERS},
    ends_alone_are_followed: {Rule.ENDS_FOLLOWED, Rule.PARENTS_FIRST},
    slot_of_what_is_handed_over: {Rule.SLOT, Rule.NO_ORPHANS},
    number_of_a_notification: {Rule.NOTIFICATION_ID},
    own_jobs_alone: {Rule.SHOWN},
    rules_of_others: {Rule.RULES},
}
"""Each with the rules by which it is noticed."""
