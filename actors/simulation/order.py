"""Who is next: of entries alike in all that can stop them, none is passed over by one of a lower rank (B9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from actors.jobs.records import Event
from actors.simulation.replay import JobAccount
from actors.simulation.rules import Rule
from actors.simulation.world import World

_HOUR = 3600 * 1_000_000
_LEVELS = {"viewer": 0, "researcher": 10, "lead": 20, "admin": 30}
_ENTRY = "o.job_id, json_extract(j.request, '$.user_levels'), o.priority_override, o.queued_at, o.queued_seq"
_CLAIMED = (
    f"SELECT {_ENTRY}, o.max_runtime FROM queue_entries o JOIN jobs j ON j.job_id = o.job_id"  # noqa: S608 - constants
    " WHERE o.job_id = ? AND o.status = 'running'"
)
_ALIKE = (
    f"SELECT {_ENTRY} FROM queue_entries q JOIN queue_entries o ON o.user_id = q.user_id"  # noqa: S608 - constants
    " AND o.org_id = q.org_id"
    " AND o.team_id = q.team_id AND o.provider = q.provider AND o.cpus = q.cpus AND o.gpus = q.gpus"
    " AND o.memory = q.memory JOIN jobs j ON j.job_id = o.job_id WHERE q.job_id = ? AND o.lane_id IS NOT NULL"
)
_SINCE = "SELECT 1 FROM events WHERE seq > ? AND type != 'job_dispatched'"
_SUSPECTS = "SELECT 1 FROM hand_over_deaths"


class Order:
    """``accounts``: what the events tell of each job so far."""

    def __init__(self, world: World, accounts: Mapping[str, JobAccount]) -> None:
        self._world = world
        self._accounts = accounts

    def claimed(self, event: Event) -> None:
        """An entry was claimed."""
        look, job_id = self._world.database.look, event.job_id or ""
        if look(_SINCE, (event.seq,)) or look(_SUSPECTS):
            return  # the rows are no longer those by which it was chosen; or jobs are handed over one by one
        now = event.time.timestamp() * 1_000_000
        for *claimed, max_runtime in look(_CLAIMED, (job_id,)):
            if max_runtime is not None:
                continue  # it may have been given what is kept for another
            passed = [
                other[0]
                for other in look(_ALIKE, (job_id,))
                if self._accounts[other[0]].state == ("pending", "pending") and _rank(other, now) < _rank(claimed, now)
            ]
            self._world.require(not passed, Rule.ORDER, f"{job_id} is claimed before {passed}")


def _rank(entry: list[Any], now: float) -> tuple[int, int, int]:
    """The least is the next: ten more for each full hour of waiting, to 40."""
    _, levels, override, queued_at, queued_seq = entry
    base = max((_LEVELS.get(level, 10) for level in json.loads(levels or "[]")), default=10)
    start = base if override is None else override
    hours = max(0, int((now - queued_at) // _HOUR))
    return -max(start, min(start + 10 * hours, 40)), queued_at, queued_seq
