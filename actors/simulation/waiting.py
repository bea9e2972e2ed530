"""Rules about waits, checked every half minute: no wait lasts longer than it may, and a job that can run is started."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import trio

from actors.providers.breaker import BreakerState
from actors.runtime import RunningRuntime
from actors.simulation.world import PROVIDERS, World, limit_of, limited
from actors.store.types import instant

EVERY = 30.0

LONGEST_WAIT = timedelta(seconds=201)
"""No provider of a world asks for more than 200 s, and no back-off of three attempts is longer."""

SETTLED = 300.0
"""Seconds after a step of the clock, or a start, in which the runtime must have noticed it, in spite of faults."""

PATIENCE = 600.0
"""Seconds for which a job may wait although it could run: an actor may hang, and be restarted, twice."""

_WAITS = (
    "SELECT 'job ' || job_id, not_before FROM queue_entries WHERE status = 'pending' AND not_before IS NOT NULL"
    " UNION ALL SELECT 'provider ' || provider, closed_until FROM provider_gates WHERE closed_until IS NOT NULL"
)
_KINDS = "job_id, user_id, org_id, team_id, provider, cpus, gpus"


class Waiting:
    """The rules for one process of ``world``, from now on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = world.elapsed()
        world.scheduler_hangs = False
        self._could: dict[str, float] = {}

    async def watch(self, runtime: RunningRuntime) -> None:
        """Check again and again, until cancelled."""
        while True:
            await trio.sleep(EVERY)
            self.look(runtime)

    def look(self, runtime: RunningRuntime) -> None:
        """What must hold now."""
        if self._world.elapsed() - max(self._began, self._world.jumped_at) >= SETTLED:
            self._waits_end()
        self._what_can_run_starts(runtime)

    def _waits_end(self) -> None:
        now = self._world.clock.now()
        for who, ends in self._world.database.look(_WAITS):
            left = instant(ends) - now
            if left > LONGEST_WAIT:
                self._world.broken("waits end in time", f"{who} is to wait for {left} more")

    def _what_can_run_starts(self, runtime: RunningRuntime) -> None:
        now = self._world.elapsed()
        before, self._could = self._could, {}
        if self._world.scheduler_hangs:
            return
        for job_id in self._runnable(runtime):
            since = self._could[job_id] = before.get(job_id, now)
            if now - since >= PATIENCE:
                self._world.broken("what can run starts", f"job {job_id} could run for {now - since:.0f} s")

    def _runnable(self, runtime: RunningRuntime) -> Iterator[str]:
        """Jobs that could run now, according to the rows."""
        look = self._world.database.look
        limits = self._world.limits[-1][1]
        running = look(f"SELECT {_KINDS} FROM queue_entries WHERE status = 'running'")  # noqa: S608 - a constant
        if len(running) >= limits.total:
            return
        taken = Counter(one for row in running for one in limited(*row[1:5]))
        free = {name: _free(name, running) for name in self._open(runtime)}
        ready = look(f"SELECT {_KINDS} FROM queue_entries WHERE lane_id IS NOT NULL ORDER BY job_id")  # noqa: S608
        for job_id, user, org, team, provider, cpus, gpus in ready:
            fits = provider in free and cpus <= free[provider][0] and gpus <= free[provider][1]
            if fits and all(taken[one] < limit_of(one, limits) for one in limited(user, org, team, provider)):
                yield job_id

    def _open(self, runtime: RunningRuntime) -> list[str]:
        """Providers that take jobs now: neither closed nor being tried out, and nothing there is kept for a job."""
        now = (self._world.clock.now() - instant(0)) // timedelta(microseconds=1)
        shut = {
            name
            for (name,) in self._world.database.look(
                "SELECT provider FROM provider_gates WHERE paused_reason IS NOT NULL OR closed_until > ?"
                " UNION SELECT provider FROM lanes WHERE blocked_since IS NOT NULL",
                (now,),
            )
        }
        if "*" in shut:
            return []
        calm = [name for name, one in runtime.providers.guarded.items() if one.breaker.state is BreakerState.CLOSED]
        return [name for name in calm if name not in shut]


def _free(name: str, running: list[Any]) -> list[float]:
    """Unused CPUs and GPUs of a provider."""
    options = PROVIDERS[name]
    there = [row for row in running if row[4] == name]
    return [
        math.inf if total is None else total - sum(row[column] for row in there)
        for column, total in ((5, options.cpus), (6, options.gpus))
    ]
