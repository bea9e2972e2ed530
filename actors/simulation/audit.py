"""Rows against everything else: the events, what clients were answered, and themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

from actors.simulation.replay import Replay
from actors.simulation.world import World

_TERMINAL = ("completed", "failed", "cancelled")
_MOST_BY_ITSELF = 4096


def audit(world: World, replay: Replay) -> None:
    """Everything that must hold at any moment between two transactions."""
    rows = world.database.look(
        "SELECT j.job_id, j.status, q.status, j.correlation_id, j.cancel_requested_at, q.attempt, q.max_attempts,"
        " q.lane_id, q.not_before, j.completed_at FROM jobs j LEFT JOIN queue_entries q ON q.job_id = j.job_id"
    )
    jobs: dict[str, Any] = {job_id: values for job_id, *values in rows}
    _events(world, replay)
    for job_id in world.known:
        world.require(job_id in jobs, "no acknowledged job is lost", f"job {job_id} was acknowledged and has no row")
    for job_id in sorted(replay.jobs.keys() | jobs.keys()):
        _job(world, replay, job_id, jobs.get(job_id))
    _refused(world)
    _lanes(world)
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
    status, entry, correlation_id, cancel_at, attempt, most, lane, not_before, completed_at = row
    stored, replayed = (
        (status, entry, cancel_at is not None),
        (account.job, account.entry, account.cancel_requested),
    )
    world.require(stored == replayed, "replay of events = table", f"job {job_id} is {stored}, events say {replayed}")
    world.require(correlation_id == account.correlation_id, "one correlation ID", f"job {job_id} has {correlation_id}")
    known = world.known.get(job_id)
    if known is not None and known.correlation_id != correlation_id:
        world.broken("one correlation ID", f"job {job_id} has {correlation_id}, submitted under {known.correlation_id}")
    world.require(attempt <= most, "attempts are bounded", f"job {job_id} had {attempt} of {most}")
    ready = entry == "pending" and not_before is None
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
