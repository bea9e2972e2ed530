"""What is shown of one job, beside its rows: its attempts, place in line and estimates, and its parents' results."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from actors.jobs.views import JobView
from actors.ledger.parent_results import parent_results
from actors.simulation.rules import Rule
from actors.simulation.states import ENDED
from actors.simulation.world import World

_ATTEMPTS = (
    "SELECT s.key, s.state, s.error, s.handle IS NOT NULL, s.outcome, j.status, j.error_message, j.devices"
    " FROM submissions s JOIN jobs j ON j.job_id = s.job_id WHERE s.job_id = ? ORDER BY length(s.key), s.key"
)
_PARENTS = (
    "SELECT d.parent_id, d.parent_status FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
    " WHERE d.job_id = ? ORDER BY d.parent_id"
)
_IN_LINE = (
    "SELECT status = 'pending' AND start_after IS NULL AND NOT unfinished_parents FROM queue_entries WHERE job_id = ?"
)
_HAS_PACE = "SELECT status = 'running' AND pace IS NOT NULL FROM jobs WHERE job_id = ?"


def check_job(world: World, connection: Connection, shown: JobView) -> None:
    """``shown``: the job with all that its page has, read on ``connection``."""
    job_id, look = shown.job.job_id, world.database.look
    _same(world, f"attempts of {job_id}", _shown_attempts(shown), _attempts(look(_ATTEMPTS, (job_id,))))
    ((in_line,),) = look(_IN_LINE, (job_id,))
    _same(world, f"place of {job_id}", shown.position is not None, bool(in_line))
    ((has_pace,),) = look(_HAS_PACE, (job_id,))
    guessed = shown.ends is not None and not in_line and not has_pace
    world.require(not guessed, Rule.SHOWN, f"{job_id} ({shown.job.status}) is to end at {shown.ends}")
    ended = shown.job.status in ENDED
    parents = [parent for parent, status in look(_PARENTS, (job_id,)) if status is not None or ended]
    if not any(status is None for _, status in look(_PARENTS, (job_id,))):
        written = json.loads(parent_results(connection, job_id) or "[]")
        _same(world, f"parents' results of {job_id}", sorted(one["job_id"] for one in written), parents)


def _shown_attempts(shown: JobView) -> list[Any]:
    return [
        (one.key, str(one.state), one.status, one.error_message, one.devices and list(one.devices))
        for one in shown.attempts or ()
    ]


def _attempts(rows: list[Any]) -> list[Any]:
    """From the rows: an attempt that another one followed has its own end, the newest one that of the job."""
    found = []
    for key, state, error, is_handed, outcome, *of_job in rows:
        end = json.loads(outcome) if outcome else {}
        status, message, devices = end.get("status"), end.get("error_message"), end.get("devices")
        if not end and is_handed and key == rows[-1][0]:
            status, message, devices = of_job
            devices = json.loads(devices) if devices else None
        found.append((key, state, status, message or error, devices))
    return found


def _same(world: World, what: str, got: object, expected: object) -> None:
    world.require(got == expected, Rule.SHOWN, f"{what}: {got} is shown, {expected} is there")
