"""Safeguards of the runtime, each with a way to take it out: what the simulation must notice.

A safeguard that stands at several places is taken out at all of them: one that remained would do its work.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from weakref import WeakKeyDictionary

import attrs
import pytest

from actors import runtime, scheduler
from actors.jobs import lifecycle, placeholders, polling, retry
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import TERMINAL_JOBS, JobStatus, QueueStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import Hold
from actors.kernel.steps import StepWatch
from actors.ledger import approvals as approval_verbs
from actors.ledger import dispatch, keys, observe
from actors.store import (
    Transaction,
    approvals,
    deliveries,
    holds,
    lanes,
    queue,
    remembered,
    schema,
    store,
    submissions,
    waits,
)
from tests.simulation.planted_notifications import PLANTED_NOTIFICATIONS
from tests.simulation.planted_reruns import PLANTED_RERUNS
from tests.simulation.planted_restored import PLANTED_RESTORED
from tests.simulation.planted_rows import PLANTED_ROWS
from tests.simulation.planted_rules import PLANTED_RULES
from tests.simulation.planted_safeguards import PLANTED_SAFEGUARDS
from tests.simulation.planted_waits import PLANTED_WAITS

Plant = Callable[[pytest.MonkeyPatch], None]


def terminal_guard(patch: pytest.MonkeyPatch) -> None:
    """A word about an ended job is taken as one about any other: by the checker, the table and the hand-overs."""
    patch.setattr(polling, "TERMINAL_JOBS", frozenset())
    interpret = polling.interpret

    def interpret_as_running(job, _entry, observation, now):
        return interpret(job, QueueStatus.RUNNING, observation, now)

    patch.setattr(observe, "interpret", interpret_as_running)
    steps = dict(lifecycle._STEPS)
    for trigger in sorted(set(lifecycle.PHASE_TRIGGERS.values())):
        for job, entry in itertools.product(sorted(TERMINAL_JOBS), QueueStatus):
            steps[job, entry, trigger] = lifecycle.TRANSITIONS[trigger][1]
    patch.setattr(lifecycle, "_STEPS", steps)

    def handed_as(connection, provider, remote_id):
        rows = connection.exec_driver_sql(
            "SELECT key FROM submissions s JOIN jobs j ON j.job_id = s.job_id"
            " WHERE json_extract(s.handle, '$.id') = ? AND j.provider = ?",
            (remote_id, provider),
        )
        return next((submissions.by_key(connection, key) for (key,) in rows), None)

    patch.setattr(deliveries, "handed_as", handed_as)


def submission_key(patch: pytest.MonkeyPatch) -> None:
    """The provider is called under a key that no row knows."""
    numbers = itertools.count()
    submit = scheduler.Scheduler._submit

    async def under_another_key(self, provider, dispatch):
        key = f"{dispatch.submission.key}-{next(numbers)}"
        return await submit(
            self, provider, attrs.evolve(dispatch, submission=attrs.evolve(dispatch.submission, key=key))
        )

    patch.setattr(scheduler.Scheduler, "_submit", under_another_key)


def slot_kept_while_unknown(patch: pytest.MonkeyPatch) -> None:
    """A lost answer is taken for a refusal: the job goes back into the queue and its slot is free."""
    after = retry.after_failed_dispatch

    def taken_for_a_refusal(kind, message, entry, now, retry_after, consecutive, jitter):
        verdict = after(kind, message, entry, now, retry_after, consecutive, jitter)
        return attrs.evolve(verdict, trigger=Trigger.REQUEUE, unknown=False) if verdict.unknown else verdict

    patch.setattr(dispatch, "after_failed_dispatch", taken_for_a_refusal)


def limits_in_the_claiming_transaction(patch: pytest.MonkeyPatch) -> None:
    """What runs is counted in the transaction before the one that claims."""
    counted: WeakKeyDictionary[object, list[object]] = WeakKeyDictionary()  # each world has a database of its own
    running = queue.running

    def as_it_was(connection):
        machine = connection.connection.driver_connection
        before, counted[machine] = counted.get(machine, []), running(connection)
        return before

    patch.setattr(queue, "running", as_it_was)


def compare_and_set_of_approvals(patch: pytest.MonkeyPatch) -> None:
    """Whoever decides last has decided, whatever was decided before and however late."""

    def decide(connection, approval_id, status, **decision):
        mine = schema.approvals.c.approval_id == approval_id
        connection.execute(schema.approvals.update().where(mine).values(status=status.value, **decision))
        return True

    def whatever_it_is(tx, approval_id, _level):
        request = approvals.get(tx.connection, approval_id)
        if request is None:
            raise Refused("there is none", RefusalKind.NOT_FOUND)
        return request

    patch.setattr(approvals, "decide", decide)
    patch.setattr(approval_verbs, "_open_request", whatever_it_is)
    steps = dict(lifecycle._STEPS)
    for trigger in (Trigger.APPROVE, Trigger.REJECT):
        for job, entry in itertools.product(JobStatus, QueueStatus):
            steps[job, entry, trigger] = lifecycle.TRANSITIONS[trigger][1]
    patch.setattr(lifecycle, "_STEPS", steps)


def event_in_the_same_transaction(patch: pytest.MonkeyPatch) -> None:
    """The rows are committed first, their events in a transaction of their own."""
    run_closures = store.Store._run_closures

    def events_afterwards(self, group, transaction):
        flush = Transaction.flush
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Transaction, "flush", lambda _self: [])
            run_closures(self, group, transaction)
        if transaction.connection.connection.driver_connection.in_transaction:  # refused: there is nothing to tell
            return []
        transaction.connection.exec_driver_sql("BEGIN IMMEDIATE")
        events = flush(transaction)
        transaction.connection.exec_driver_sql("COMMIT")
        return events

    patch.setattr(store.Store, "_run_closures", events_afterwards)


def deadline_on_shutdown(patch: pytest.MonkeyPatch) -> None:
    """A stop waits for its hand-overs as long as they take."""
    patch.setattr(runtime, "GRACE", 3600.0)


def correlation_binding(patch: pytest.MonkeyPatch) -> None:
    """The scheduler calls providers under its own cycle's ID."""
    patch.setattr(scheduler, "bind_correlation_id", lambda _id: contextlib.nullcontext())


def waits_that_move_with_the_clock(patch: pytest.MonkeyPatch) -> None:
    """A wait ends at its instant of the wall clock, wherever that is put; over a restart, too."""
    patch.setattr(waits, "shift", lambda _connection, _by, _now: None)
    patch.setattr(waits, "bound", lambda _connection, _now: None)


def hold_after_a_leap(patch: pytest.MonkeyPatch) -> None:
    """What is ninety days old by a clock that leapt is removed."""
    patch.setattr(holds, "begin", lambda _connection, reason, now: Hold(reason, now))


def quiet_after_a_leap(patch: pytest.MonkeyPatch) -> None:
    """Whatever is due by a clock that leapt expires at once."""
    patch.setattr(StepWatch, "quiet_seconds", lambda _watch: 0.0)


def quiet_over_a_restart(patch: pytest.MonkeyPatch) -> None:
    """A process does not know that the clock leapt a moment before it started."""
    patch.setattr(StepWatch, "remember_leap", lambda _watch, _ago: None)


def no_entry_hides_another(patch: pytest.MonkeyPatch) -> None:
    """Only the lane of the oldest entry is looked at: one user's many jobs stand before everybody's."""
    read = lanes.read

    def oldest(connection):
        found = read(connection)
        return [min(found, key=lambda lane: (lane.head.queued_at, lane.head.queued_seq))] if found else []

    patch.setattr(lanes, "read", oldest)


def remembered_limits_that_are_stale(patch: pytest.MonkeyPatch) -> None:
    """The writer goes on with the limits, gates and rules that it has read, whatever people change; not with holds."""
    changed, write, drop = remembered.changed, holds.write, holds.drop
    patch.setattr(remembered, "changed", lambda _connection: None)
    patch.setattr(holds, "write", lambda connection, *rest: (write(connection, *rest), changed(connection)))
    patch.setattr(holds, "drop", lambda connection: (drop(connection), changed(connection)))


def keys_of_a_file(patch: pytest.MonkeyPatch) -> None:
    """The keys of a file's jobs are not kept: what is submitted again is made again."""
    bind = keys.Keys.bind

    def bind_single(self, request, job_id):
        if self._file is None:
            bind(self, request, job_id)

    patch.setattr(keys.Keys, "bind", bind_single)


def each_combination_its_own_values(patch: pytest.MonkeyPatch) -> None:
    """What a matrix makes has the values of its first combination."""
    fill = placeholders.Filler.fill
    first: WeakKeyDictionary[placeholders.Filler, dict[str, str]] = WeakKeyDictionary()
    patch.setattr(
        placeholders.Filler, "fill", lambda self, values, *more: fill(self, first.setdefault(self, values), *more)
    )


PLANTED: dict[Plant, set[str]] = {
    terminal_guard: {"terminal is final"},
    submission_key: {"the intent first", "at most one remote job each"},
    slot_kept_while_unknown: {"at most one remote job each", "limits hold as the provider sees them"},
    limits_in_the_claiming_transaction: {"limits hold at every claim"},
    compare_and_set_of_approvals: {
        "a decision needs its level",
        "one end per approval",
        "an expired approval never approves",
        "terminal is final",
        "steps stand in the table",
    },
    event_in_the_same_transaction: {
        "replay of events = table",
        "events without a gap",
        "steps stand in the table",  # one step is not told
    },
    deadline_on_shutdown: {"a stop has a deadline"},
    correlation_binding: {"one correlation ID"},
    waits_that_move_with_the_clock: {"waits end in time", "Retry-After is kept", "back-off is kept"},
    hold_after_a_leap: {"no acknowledged job is lost", "replay of events = table", "events without a gap"},
    quiet_after_a_leap: {"approvals expire at their deadline"},
    quiet_over_a_restart: {"approvals expire at their deadline"},
    no_entry_hides_another: {"what can run starts", "equal jobs start in their order"},
    remembered_limits_that_are_stale: {
        "limits hold at every claim",
        "what can run starts",
        "what is paused starts nothing",
        "approval rules are what was last said",
        "the job shows a provider's answer at once",
    },
    keys_of_a_file: {"one key, one job"},
    each_combination_its_own_values: {"a job for each combination"},
    **PLANTED_RERUNS,
    **PLANTED_RESTORED,
    **PLANTED_ROWS,
    **PLANTED_RULES,
    **PLANTED_SAFEGUARDS,
    **PLANTED_WAITS,
    **PLANTED_NOTIFICATIONS,
}
"""Each with the rules by which it is noticed: a bug found by an accident of its planting is not found."""
