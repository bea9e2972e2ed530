"""Wide jobs: a provider that many small ones keep full, and what must be kept there for one that needs all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import attrs

from actors.jobs.events import EventType
from actors.jobs.levels import effective_priority
from actors.jobs.records import Event
from actors.simulation.rules import Rule
from actors.simulation.step import Step
from actors.simulation.world import PROVIDERS, World, limit_of, limited
from actors.store.types import instant, microseconds

PROVIDER = "exact"
AT_ONCE = 30
_SMALL = ("hal", "ida", "jo", "kim")


def wide(draw: Random, seconds: float) -> Iterator[Step]:
    """In one world of three: small jobs without end, and now and then one that needs all GPUs."""
    if draw.random() > 1 / 3:
        return
    at, serial = 0.0, 0
    while (at := at + draw.expovariate(1 / 25)) < seconds:
        needs_all = draw.random() < 0.1
        request: dict[str, Any] = {
            "provider": PROVIDER,
            "spec": {"duration": draw.choice([30.0, 60.0, 200.0])},
            "user_id": "lea" if needs_all else draw.choice(_SMALL),
            "user_levels": ["admin"],
            "resources": [1, 2 if needs_all else 1],
        }
        if needs_all and draw.random() < 0.3:
            request["priority_override"] = draw.choice([AT_ONCE, 50])
        if draw.random() < 0.6:
            request["max_runtime"] = draw.choice([40.0, 220.0])
        yield Step(round(at, 3), "submit", {"marker": f"wide-{serial}", "request": request})
        serial += 1


@attrs.frozen
class _Entry:
    """An entry that waits or runs, as its row has it; what it needs as (CPUs, GPUs)."""

    job_id: str
    who: tuple[str, str, str]
    needs: tuple[int, int]
    base: int
    override: int | None
    queued_at: int
    queued_seq: int
    started_at: int | None
    max_runtime: float | None
    blocked_since: int | None

    @classmethod
    def of(cls, row: Any) -> _Entry:
        job_id, user, org, team, cpus, gpus, *rest = row
        return cls(job_id, (user, org, team), (cpus, gpus), *rest)

    def rank(self, now: datetime) -> tuple[int, int, int]:
        priority = effective_priority(self.base, self.override, instant(self.queued_at), now)
        return (-priority, self.queued_at, self.queued_seq)


_COLUMNS = (
    "q.job_id, q.user_id, q.org_id, q.team_id, q.cpus, q.gpus, q.base_priority, q.priority_override, q.queued_at,"
    " q.queued_seq, q.started_at, q.max_runtime"
)


class WideJobs:
    """The rule about what is kept, worked out from the rows after each claim, by a way of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._last: dict[str, int] = {}  # the number of each job's last event
        self._claims: dict[str, int] = {}  # and of its last claim

    def saw(self, event: Event) -> None:
        """An event was published; each claim is checked."""
        if event.job_id is not None:
            self._last[event.job_id] = event.seq
        if event.type == EventType.JOB_DISPATCHED and event.data["provider"] == PROVIDER:
            self._claims[event.job_id or ""] = event.seq
            self._claimed(event)

    def _claimed(self, event: Event) -> None:
        """An entry was claimed: had it what is kept for another, then only for a time that surely ends soon enough."""
        now = event.time
        running, heads = self._rows()
        new = [one for one in running if one.started_at == microseconds(now)]
        claimed = next((one for one in new if one.job_id == event.job_id), None)
        kept_for = self._first_in_need(heads, running, now)
        if claimed is None or kept_for is None or claimed.rank(now) < kept_for.rank(now):
            return
        waits_since = self._last.get(kept_for.job_id, 0)  # what was claimed before it waited took nothing from it
        later = [one for one in new if self._claims.get(one.job_id, event.seq) > waits_since]
        behind = [one for one in later if one.rank(now) > kept_for.rank(now)]
        before = [one for one in running if one not in behind]
        free = _free(before)
        promised = _latest_start(free, before, kept_for.needs, now)
        lasting = [one for one in behind if not _gives_back(one, now, promised)]
        left = [have - sum(one.needs[index] for one in lasting) for index, have in enumerate(free)]
        kept = [min(need, have) for need, have in zip(kept_for.needs, free, strict=True)]
        self._world.trace.count(f"kept: {'borrowed' if len(lasting) < len(behind) else 'left alone'}")
        held = all(have >= keep for have, keep in zip(left, kept, strict=True))
        names = [one.job_id for one in lasting]
        self._world.require(held, Rule.RESERVED, f"{names} took what is kept for {kept_for.job_id}")

    def _rows(self) -> tuple[list[_Entry], list[_Entry]]:
        look = self._world.database.look
        running = look(
            f"SELECT {_COLUMNS}, NULL FROM queue_entries q WHERE q.status = 'running' AND q.provider = ?",  # noqa: S608
            (PROVIDER,),
        )
        heads = look(
            f"SELECT {_COLUMNS}, l.blocked_since FROM lanes l JOIN queue_entries q ON q.job_id = l.head_job_id"  # noqa: S608
            " WHERE l.provider = ? AND l.blocked_since IS NOT NULL",
            (PROVIDER,),
        )
        return [_Entry.of(row) for row in running], [_Entry.of(row) for row in heads]

    def _first_in_need(self, heads: list[_Entry], running: list[_Entry], now: datetime) -> _Entry | None:
        """For whom something is kept; None also where a limit may have stopped it before, or it is a matter of moments
        whether it has waited for long enough.
        """
        after = timedelta(seconds=self._world.settings.queue.reserve_after)
        for one in sorted(heads, key=lambda one: one.rank(now)):
            assert one.blocked_since is not None
            at_once = one.override is not None and one.override >= AT_ONCE
            waited = now - instant(one.blocked_since)
            if at_once or waited > after:
                is_sure = at_once or waited > after + timedelta(seconds=1)
                return one if is_sure and not self._is_limited(one) else None
        return None

    def _is_limited(self, one: _Entry) -> bool:
        look, limits = self._world.database.look, self._world.limits[-1][1]
        running = look("SELECT user_id, org_id, team_id, provider FROM queue_entries WHERE status = 'running'")
        if len(running) >= limits.total or look(
            "SELECT 1 FROM provider_gates WHERE paused_reason IS NOT NULL OR closed_until IS NOT NULL"
        ):
            return True
        own = limited(*one.who, PROVIDER)
        return any(sum(each in limited(*row) for row in running) >= limit_of(each, limits) for each in own)


def _free(holding: list[_Entry]) -> list[float]:
    options = PROVIDERS[PROVIDER]
    there = (options.cpus or 0, options.gpus or 0)
    return [max(0, total - sum(one.needs[index] for one in holding)) for index, total in enumerate(there)]


def _latest_start(free: list[float], holding: list[_Entry], needs: tuple[int, int], now: datetime) -> datetime | None:
    """When ``needs`` are surely there, by the deadlines of what runs."""
    room = list(free)
    ends = [(_end(one), one) for one in holding if one.max_runtime is not None]
    for end, one in sorted(ends, key=lambda pair: (pair[0], pair[1].job_id)):
        if end <= now:
            continue
        room = [have + back for have, back in zip(room, one.needs, strict=True)]
        if all(need <= have for need, have in zip(needs, room, strict=True)):
            return end
    return None


def _end(one: _Entry) -> datetime:
    assert one.started_at is not None
    assert one.max_runtime is not None
    return instant(one.started_at) + timedelta(seconds=one.max_runtime)


def _gives_back(one: _Entry, now: datetime, promised: datetime | None) -> bool:
    return one.max_runtime is not None and promised is not None and _end(one) <= promised
