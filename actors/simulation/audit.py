"""The state of every job as its events describe it, and the rows against that, clients' answers and themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from actors.jobs.events import EventType
from actors.jobs.lifecycle import TRANSITIONS, Step
from actors.jobs.records import ApprovalStatus, Event, JobStatus, QueueStatus
from actors.simulation.world import World

# The state of every job as the events alone describe it, to be compared with the rows.

_STEP_EVENTS = frozenset(step.event for _, step in TRANSITIONS.values())
_PLAIN = frozenset(
    {
        EventType.JOB_HANDED_OVER, EventType.JOB_PROGRESS, EventType.JOB_OUTCOME_UNKNOWN, EventType.JOB_UNCERTAIN,
        EventType.JOB_SETTLED, EventType.JOB_CANCEL_REQUESTED, EventType.JOB_PRIORITY_CHANGED,
    }
)  # fmt: skip
_DECISIONS: dict[str, ApprovalStatus] = {
    EventType.APPROVAL_GRANTED: ApprovalStatus.APPROVED,
    EventType.APPROVAL_REJECTED: ApprovalStatus.REJECTED,
    EventType.APPROVAL_EXPIRED: ApprovalStatus.EXPIRED,
}

Broken = Callable[[str, str], None]


@attrs.define
class JobAccount:
    """One job as its events describe it. ``steps`` counts the events that changed its status."""

    job: JobStatus | None = None
    entry: QueueStatus | None = None
    correlation_id: str = ""
    approval: ApprovalStatus | None = None
    cancel_requested: bool = False
    steps: int = 0


class Replay:
    """Applies events in order and keeps the resulting states; ``broken`` is called with a broken rule and how."""

    def __init__(self, broken: Broken) -> None:
        self.last = 0
        self.jobs: dict[str, JobAccount] = {}
        self.transitions: set[str] = set()
        self._broken = broken

    def feed(self, event: Event) -> None:
        """One more event."""
        if event.seq != self.last + 1:
            self._broken("events without a gap", f"event {event.seq} ({event.type}) follows {self.last}")
        self.last = event.seq
        if event.job_id is None:
            return
        account = self.jobs.setdefault(event.job_id, JobAccount())
        if not account.correlation_id:
            account.correlation_id = event.correlation_id
        elif event.correlation_id != account.correlation_id:
            self._broken("one correlation ID", f"{event.type} of {event.job_id} has {event.correlation_id}")
        if event.type in _STEP_EVENTS:
            self._take(event, account)
        elif event.type not in _PLAIN:
            self._broken("known events", f"{event.type} of {event.job_id} is in no table")
        elif account.job is not None and event.data.get("status", account.job) != account.job:
            self._broken("events tell the status", f"{event.type} of {event.job_id}: {event.data}, it is {account.job}")
        if event.type == EventType.JOB_CANCEL_REQUESTED:
            account.cancel_requested = True
        if event.type == EventType.JOB_RERUN and account.cancel_requested:
            self._broken("what is asked to end is not run again", f"{event.type} of {event.job_id}")

    def _take(self, event: Event, account: JobAccount) -> None:
        before = (account.job, account.entry)
        steps = {
            step
            for pairs, step in TRANSITIONS.values()
            if before in pairs and step.event == event.type and step.job == event.data.get("status")
        }
        if len(steps) != 1:
            final = "terminal is final" if account.entry in _ENDED else "steps stand in the table"
            self._broken(final, f"{event.type} of {event.job_id} to {event.data.get('status')} from {before}")
            return
        (step,) = steps
        self._move(event, account, step)

    def _move(self, event: Event, account: JobAccount, step: Step) -> None:
        self.transitions.add(
            f"{account.job or 'new'}/{account.entry or 'new'} -> {step.job}/{step.entry} ({step.event})"
        )
        account.steps += 1
        if event.type == EventType.APPROVAL_REQUESTED:
            account.approval = ApprovalStatus.PENDING
        elif event.type in _DECISIONS:
            if account.approval is not ApprovalStatus.PENDING:
                self._broken("one end per approval", f"{event.type} of {event.job_id}, it was {account.approval}")
            account.approval = _DECISIONS[event.type]
        elif step.entry in _ENDED and account.approval is ApprovalStatus.PENDING:
            account.approval = ApprovalStatus.CANCELLED
        account.job, account.entry = step.job, step.entry


_ENDED = frozenset({QueueStatus.COMPLETED, QueueStatus.FAILED, QueueStatus.CANCELLED})


_TERMINAL = ("completed", "failed", "cancelled")
_MOST_BY_ITSELF = 4096


def audit(world: World, replay: Replay) -> None:
    """Everything that must hold at any moment between two transactions."""
    rows = world.database.look(
        "SELECT j.job_id, j.status, q.status, j.correlation_id, j.cancel_requested_at, q.attempt, q.max_attempts,"
        " q.lane_id, coalesce(q.not_before, q.start_after, nullif(q.unfinished_parents, 0)), j.completed_at,"
        " q.reruns, q.run_first_attempt, coalesce(json_extract(j.request, '$.rerun.times'), 0)"
        " FROM jobs j LEFT JOIN queue_entries q ON q.job_id = j.job_id"
    )
    jobs: dict[str, Any] = {job_id: values for job_id, *values in rows}
    _events(world, replay)
    for job_id in world.known:
        world.require(job_id in jobs, "no acknowledged job is lost", f"job {job_id} was acknowledged and has no row")
    for job_id in sorted(replay.jobs.keys() | jobs.keys()):
        _job(world, replay, job_id, jobs.get(job_id))
    _refused(world)
    _lanes(world)
    _dependencies(world)
    _counts(world)
    _approvals(world, replay)


def _events(world: World, replay: Replay) -> None:
    ((count, first, last, counter),) = world.database.look(
        "SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0),"
        " (SELECT value FROM counters WHERE name = 'events') FROM events"
    )
    whole = (count, first, last) == (counter, 1, counter)
    world.require(whole, "events without a gap", f"{count} events from {first} to {last}, the counter says {counter}")
    world.require(
        replay.last == last, "events are published", f"the last one published is {replay.last}, the last row {last}"
    )


def _job(world: World, replay: Replay, job_id: str, row: Any) -> None:
    account = replay.jobs.get(job_id)
    if row is None or account is None:
        world.broken("replay of events = table", f"job {job_id}: row {row}, events {account}")
        return
    status, entry, correlation_id, cancel_at, attempt, most, lane, held, completed_at, *again = row
    reruns, first, times = again
    stored, replayed = (
        (status, entry, cancel_at is not None),
        (account.job, account.entry, account.cancel_requested),
    )
    world.require(stored == replayed, "replay of events = table", f"job {job_id} is {stored}, events say {replayed}")
    world.require(correlation_id == account.correlation_id, "one correlation ID", f"job {job_id} has {correlation_id}")
    known = world.known.get(job_id)
    if known is not None and known.correlation_id != correlation_id:
        world.broken("one correlation ID", f"job {job_id} has {correlation_id}, submitted under {known.correlation_id}")
    world.require(attempt - first <= most, "attempts are bounded", f"job {job_id} had {attempt} of {most}")
    world.require(reruns <= times, "no more runs than asked", f"job {job_id} ran again {reruns} times of {times}")
    ready = entry == "pending" and held is None
    world.require((lane is not None) == ready, "lanes hold what is ready", f"job {job_id} {entry} is in lane {lane}")
    world.require((completed_at is not None) == (status in _TERMINAL), "ends have a time", f"job {job_id} is {status}")


def _refused(world: World) -> None:
    markers = Counter(
        marker
        for (marker,) in world.database.look(
            "SELECT json_extract(request, '$.config_name') FROM jobs WHERE retry_of IS NULL"
        )
    )
    for marker in sorted(world.refused & markers.keys()):
        world.broken("a refused request leaves no row", f"{marker} was refused and has a row")
    for marker, number in markers.items():
        if number > 1:
            world.broken("one key, one job", f"{marker} has {number} rows")


def _lanes(world: World) -> None:
    counted = dict(world.database.look("SELECT lane_id, number FROM lanes"))
    standing = dict(
        world.database.look("SELECT lane_id, count(*) FROM queue_entries WHERE lane_id IS NOT NULL GROUP BY lane_id")
    )
    world.require(counted == standing, "lanes count their entries", f"lanes say {counted}, entries {standing}")


_WRONG_DEPENDENCIES = {
    "waiting jobs count their parents": (
        "SELECT q.job_id FROM queue_entries q WHERE q.status IN ('pending', 'blocked') AND q.unfinished_parents !="
        " (SELECT count(*) FROM dependencies d WHERE d.job_id = q.job_id AND d.parent_status IS NULL)"
    ),
    "cascades complete": (
        "SELECT d.job_id FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
        " WHERE d.parent_status IS NULL AND p.status IN ('completed', 'failed', 'cancelled')"
        " AND d.parent_id NOT IN (SELECT parent_id FROM ended_parents)"
    ),
    "only ends are followed": (
        "SELECT p.job_id FROM jobs p JOIN ended_parents e ON e.parent_id = p.job_id"
        " WHERE p.status NOT IN ('completed', 'failed', 'cancelled')"
    ),
    "a bad end cancels what waits for a good one": (
        "SELECT d.job_id FROM dependencies d JOIN jobs j ON j.job_id = d.job_id"
        " WHERE j.status NOT IN ('cancelled') AND d.parent_status IN ('failed', 'cancelled')"
        " AND coalesce(json_extract(j.request, '$.after_mode'), 'ok') = 'ok'"
    ),
}
"""What no row may show at any moment between two transactions."""


def _dependencies(world: World) -> None:
    for rule, query in _WRONG_DEPENDENCIES.items():
        wrong = [job_id for (job_id,) in world.database.look(query)]
        world.require(not wrong, rule, f"not so: {wrong[:5]}")


def _counts(world: World) -> None:
    for table in ("jobs", "queue_entries"):
        kept = dict(world.database.look("SELECT status, number FROM status_counts WHERE kind = ? AND number", (table,)))
        there = dict(world.database.look(f"SELECT status, count(*) FROM {table} GROUP BY status"))  # noqa: S608 - constant
        world.require(kept == there, "counts by status are the rows'", f"{table}: {kept} are kept, there are {there}")


def _approvals(world: World, replay: Replay) -> None:
    for job_id, status, expires_at, decided_at in world.database.look(
        "SELECT job_id, status, expires_at, decided_at FROM approvals"
    ):
        account = replay.jobs.get(job_id)
        if account is None or account.approval != status:
            said = account.approval if account else None
            world.broken("replay of events = table", f"the approval of {job_id} is {status}, events say {said}")
        if status in ("approved", "rejected") and decided_at >= expires_at:
            world.broken("an expired approval never approves", f"{job_id}: {status} {decided_at}, due {expires_at}")
        if status == "expired" and decided_at < expires_at:
            world.broken("approvals expire at their deadline", f"{job_id}: at {decided_at}, due {expires_at}")


def bounded(world: World, registry: Any, tasks: int) -> None:
    """Buffers of the running process: mailboxes, quarantine, tasks."""
    for ref in registry:
        seen = ref.mailbox.statistics()
        # notices are put beyond the capacity, for none may be lost
        world.require(seen.depth <= 2 * seen.capacity, "buffers are bounded", f"{ref.name} holds {seen.depth}")
        world.require(len(ref.quarantine) <= _MOST_BY_ITSELF, "buffers are bounded", f"{ref.name}'s quarantine")
    world.require(tasks <= _MOST_BY_ITSELF, "tasks are bounded", f"{tasks} tasks live")
