"""What must hold of the rows at any moment: against the events, against clients' answers and among themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

from actors.simulation.replay import Replay
from actors.simulation.rules import Rule
from actors.simulation.states import BLOCKED, ENDED
from actors.simulation.world import World

_MOST_BY_ITSELF = 4096


def audit(world: World, replay: Replay) -> None:
    """Everything that must hold at any moment between two transactions."""
    rows = world.database.look(
        "SELECT j.job_id, j.status, q.status, j.correlation_id, j.cancel_requested_at, q.attempt, q.max_attempts,"
        " q.lane_id, coalesce(q.not_before, q.start_after, nullif(q.unfinished_parents, 0), q.restored),"
        " j.completed_at, q.reruns, q.run_first_attempt, coalesce(json_extract(j.request, '$.rerun.times'), 0)"
        " FROM jobs j LEFT JOIN queue_entries q ON q.job_id = j.job_id"
    )
    jobs: dict[str, Any] = {job_id: values for job_id, *values in rows}
    _events(world, replay)
    for job_id in world.known:
        world.require(job_id in jobs, Rule.NOT_LOST, f"job {job_id} was acknowledged and has no row")
    for job_id in sorted(replay.jobs.keys() | jobs.keys()):
        _job(world, replay, job_id, jobs.get(job_id))
    _refused(world)
    _lanes(world)
    _wrong_rows(world, replay)
    _counts(world)
    _approvals(world, replay)


def _events(world: World, replay: Replay) -> None:
    ((count, first, last, counter),) = world.database.look(
        "SELECT count(*), coalesce(min(seq), 1), coalesce(max(seq), 0),"
        " (SELECT value FROM counters WHERE name = 'events') FROM events"
    )
    whole = (count, first, last) == (counter, 1, counter)
    world.require(whole, Rule.NO_GAP, f"{count} events from {first} to {last}, the counter says {counter}")
    world.require(replay.last == last, Rule.PUBLISHED, f"the last one published is {replay.last}, the last row {last}")


def _job(world: World, replay: Replay, job_id: str, row: Any) -> None:
    account = replay.jobs.get(job_id)
    world.require(row is not None and account is not None, Rule.REPLAY, f"job {job_id}: row {row}, events {account}")
    if row is None or account is None:
        return
    status, entry, correlation_id, cancel_at, attempt, most, lane, held, completed_at, *again = row
    reruns, first, times = again
    stored, replayed = (status, entry, cancel_at is not None), (*account.state, account.cancel_requested)
    world.require(stored == replayed, Rule.REPLAY, f"job {job_id} is {stored}, events say {replayed}")
    world.require(correlation_id == account.correlation_id, Rule.CORRELATION, f"job {job_id} has {correlation_id}")
    known = world.known.get(job_id)
    if known is not None:
        text = f"job {job_id} has {correlation_id}, submitted under {known.correlation_id}"
        world.require(known.correlation_id == correlation_id, Rule.CORRELATION, text)
    spent = attempt - first
    world.require(
        spent < most or (spent == most and entry != "pending"), Rule.ATTEMPTS, f"job {job_id} had {attempt} of {most}"
    )
    world.require(reruns <= times, Rule.RERUNS, f"job {job_id} ran again {reruns} times of {times}")
    ready = entry == "pending" and held is None
    world.require((lane is not None) == ready, Rule.LANES_HOLD, f"job {job_id} {entry} is in lane {lane}")
    world.require((completed_at is not None) == (status in ENDED), Rule.ENDS_HAVE_TIME, f"job {job_id} is {status}")


def _refused(world: World) -> None:
    markers = Counter(
        marker
        for (marker,) in world.database.look(
            "SELECT json_extract(request, '$.config_name') FROM jobs WHERE retry_of IS NULL"
        )
    )
    for marker in sorted(world.refused):
        world.require(marker not in markers, Rule.REFUSED_NO_ROW, f"{marker} was refused and has a row")
    for marker, number in markers.items():
        world.require(number == 1, Rule.ONE_KEY, f"{marker} has {number} rows")


def _lanes(world: World) -> None:
    counted = dict(world.database.look("SELECT lane_id, count FROM lanes"))
    standing = dict(
        world.database.look("SELECT lane_id, count(*) FROM queue_entries WHERE lane_id IS NOT NULL GROUP BY lane_id")
    )
    world.require(counted == standing, Rule.LANES_COUNT, f"lanes say {counted}, entries {standing}")


_WRONG_ROWS = {
    Rule.PARENTS_COUNTED: (
        "SELECT q.job_id FROM queue_entries q WHERE q.status IN ('pending', 'blocked') AND q.restored IS NULL"
        " AND q.unfinished_parents !="
        " (SELECT count(*) FROM dependencies d WHERE d.job_id = q.job_id AND d.parent_status IS NULL)"
    ),
    Rule.CASCADES: (
        "SELECT d.job_id FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
        " WHERE d.parent_status IS NULL AND p.status IN ('completed', 'failed', 'cancelled')"
        " AND d.parent_id NOT IN (SELECT parent_id FROM ended_parents)"
    ),
    Rule.ENDS_FOLLOWED: (
        "SELECT p.job_id FROM jobs p JOIN ended_parents e ON e.parent_id = p.job_id"
        " WHERE p.status NOT IN ('completed', 'failed', 'cancelled')"
    ),
    Rule.BAD_ENDS: (
        "SELECT d.job_id FROM dependencies d JOIN jobs j ON j.job_id = d.job_id"
        " WHERE j.status NOT IN ('cancelled') AND d.parent_status IN ('failed', 'cancelled')"
        " AND coalesce(json_extract(j.request, '$.after_mode'), 'ok') = 'ok'"
        " AND j.job_id NOT IN (SELECT job_id FROM queue_entries WHERE restored = 'look_up')"
    ),
    Rule.WAITS_END: (
        "SELECT job_id FROM queue_entries WHERE start_after IS NOT NULL"
        " AND status IN ('completed', 'failed', 'cancelled')"
    ),
    Rule.SLOT: (
        "SELECT q.job_id FROM queue_entries q JOIN submissions s ON s.job_id = q.job_id"
        " WHERE q.status != 'running' AND s.state != 'closed'"
    ),
}
"""What no row may show at any moment between two transactions."""


def _wrong_rows(world: World, replay: Replay) -> None:
    """A bad end is not checked for what ran after a backup: its parents have ended once more since the restore."""
    for rule, query in _WRONG_ROWS.items():
        wrong = [job_id for (job_id,) in world.database.look(query)]
        if world.restored and rule is Rule.BAD_ENDS:
            wrong = [job_id for job_id in wrong if job_id in replay.jobs and not replay.jobs[job_id].restored]
        world.require(not wrong, rule, f"not so: {wrong[:5]}")


def _counts(world: World) -> None:
    for table in ("jobs", "queue_entries"):
        kept = dict(world.database.look("SELECT status, number FROM status_counts WHERE kind = ? AND number", (table,)))
        there = dict(world.database.look(f"SELECT status, count(*) FROM {table} GROUP BY status"))  # noqa: S608 - constant
        world.require(kept == there, Rule.STATUS_COUNTS, f"{table}: {kept} are kept, there are {there}")


def _approvals(world: World, replay: Replay) -> None:
    for job_id, status, expires_at, decided_at in world.database.look(
        "SELECT job_id, status, expires_at, decided_at FROM approvals"
    ):
        account = replay.jobs.get(job_id)
        said = account.approval if account else None
        if account and account.restored == BLOCKED and (said, status) == ("pending", "cancelled"):
            said = status  # it was found at its provider, so nobody need decide any more
        world.require(said == status, Rule.REPLAY, f"the approval of {job_id} is {status}, events say {said}")
        if status in ("approved", "rejected"):
            text = f"{job_id}: {status} {decided_at}, due {expires_at}"
            world.require(decided_at < expires_at, Rule.LATE_APPROVAL, text)
        if status == "expired":
            world.require(decided_at >= expires_at, Rule.DEADLINE, f"{job_id}: at {decided_at}, due {expires_at}")


def bounded(world: World, registry: Any, tasks: int) -> None:
    """Buffers of the running process: mailboxes, quarantine, tasks."""
    for ref in registry:
        seen = ref.mailbox.statistics()
        # notices are put beyond the capacity, for none may be lost
        world.require(seen.depth <= 2 * seen.capacity, Rule.BUFFERS, f"{ref.name} holds {seen.depth}")
        world.require(len(ref.quarantine) <= _MOST_BY_ITSELF, Rule.BUFFERS, f"{ref.name}'s quarantine")
    world.require(tasks <= _MOST_BY_ITSELF, Rule.TASKS, f"{tasks} tasks live")
