"""Rules about waits, checked every half minute: no wait lasts longer than it may, and a job that can run is started."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import trio

from actors.ledger.provider_views import unhealthy
from actors.providers.breaker import BreakerState
from actors.providers.guard import GuardedProvider
from actors.runtime import RunningRuntime
from actors.simulation.checker import Checker
from actors.simulation.rules import Rule
from actors.simulation.world import PROVIDERS, World, limit_of, limited
from actors.store.types import instant, microseconds

EVERY = 30.0

LONGEST_WAIT = timedelta(seconds=201)
"""No provider of a world asks for more than 200 s, and no back-off of three attempts is longer."""

SETTLED = 300.0
"""Seconds after a step of the clock, or a start, in which the runtime must have noticed it, in spite of faults."""

IN_HANDS = 400.0
"""Seconds that a hand-over may take: a server that is silent about a few, one after the other."""

PATIENCE = 600.0
"""Seconds for which a job may wait although it could run: an actor may hang, and be restarted, twice."""

QUIET, DISTURBED, OVERDUE = 600.0, 300.0, 60.0
"""Seconds after a leap of the clock without a sweep; after a fault in which the expiry actor may be late; and more."""

_OVERDUE = "SELECT job_id FROM approvals WHERE status = 'pending' AND requested_at + timeout_seconds * 1000000 < ?"
_WAITS = (
    "SELECT 'job ' || job_id, not_before FROM queue_entries WHERE status = 'pending' AND not_before IS NOT NULL"
    " UNION ALL SELECT 'job ' || job_id, start_after FROM queue_entries WHERE status IN ('pending', 'blocked')"
    " AND start_after IS NOT NULL AND start_wait_seconds IS NOT NULL"
    " UNION ALL SELECT 'provider ' || provider, closed_until FROM provider_gates WHERE closed_until IS NOT NULL"
)
_DISABLED = (
    "SELECT name FROM notification_targets WHERE disabled_at IS NOT NULL AND name NOT IN"
    " (SELECT json_extract(data, '$.target') FROM events WHERE type = 'notification_target_disabled')"
)
_KINDS = "job_id, user_id, org_id, team_id, provider, cpus, gpus"


class Waiting:
    """The rules for one process of ``world``, from now on."""

    def __init__(self, world: World, checker: Checker) -> None:
        self._world = world
        self._checker = checker
        self._intents: dict[tuple[str, str], float] = {}
        self._began = world.elapsed()
        world.may_hang.clear()
        world.expiry_disturbed_at = -math.inf
        self._could: dict[str, float] = {}

    async def watch(self, runtime: RunningRuntime) -> None:
        """Check again and again, until cancelled."""
        while True:
            await trio.sleep(EVERY)
            self._world.checks.ask(self.look, runtime)

    def look(self, runtime: RunningRuntime) -> None:
        """What must hold now."""
        if self._world.elapsed() - max(self._began, self._world.jumped_at) >= SETTLED:
            self._waits_end()
        self._approvals_expire()
        self._what_can_run_starts(runtime)
        self._what_was_left_is_asked_about()
        disabled = self._world.database.look(_DISABLED)
        self._world.require(not disabled, Rule.EVENT_CONTENTS, f"no event says that {disabled} are disabled")
        guarded = runtime.providers.guarded
        self._what_is_open_is_said(guarded)
        called = {name for name, one in guarded.items() if one.breaker.state is BreakerState.CLOSED}
        self._checker.check(self._began, called)

    def _what_is_open_is_said(self, guarded: Mapping[str, GuardedProvider]) -> None:
        """Health names the providers whose circuit breaker is open, and no other."""
        said, opened = unhealthy(guarded), [n for n, one in guarded.items() if one.breaker.state is BreakerState.OPEN]
        same = len(said) == len(opened) and all(f" {name} " in text for name, text in zip(opened, said, strict=True))
        self._world.require(same, Rule.SHOWN, f"health says {said}, open are {opened}")

    def _what_was_left_is_asked_about(self) -> None:
        now, before, self._intents = self._world.elapsed(), self._intents, {}
        if "scheduler" in self._world.may_hang:
            return
        for one in self._world.database.look("SELECT key, token FROM submissions WHERE state = 'intent'"):
            self._intents[one] = before.get(one, now)  # under the same key there may be another one by now
        late = [key for (key, _), since in self._intents.items() if now - since >= IN_HANDS]
        self._world.require(not late, Rule.ORPHANS, f"nobody hands over and nobody asks about {late}")

    def _waits_end(self) -> None:
        now = self._world.clock.now()
        waits = [(who, instant(ends) - now) for who, ends in self._world.database.look(_WAITS)]
        long = [f"{who} is to wait for {left} more" for who, left in waits if left > LONGEST_WAIT]
        self._world.require(not long, Rule.WAITS_END, str(long))

    def _approvals_expire(self) -> None:
        """Not while the clock has leapt, after which nothing expires for ten minutes (B16), nor soon after a start.

        After a restore there may have been a decision since the backup, so that a request waits for its provider.
        """
        if self._world.restored:
            return
        interval = self._world.settings.background.approval_expiration.interval_seconds + OVERDUE
        leapt_at = self._world.jumped_at
        disturbed_at = self._world.expiry_disturbed_at + DISTURBED
        if self._world.elapsed() - max(self._began, disturbed_at, leapt_at and leapt_at + QUIET) < interval:
            return
        before = self._world.clock.now() - timedelta(seconds=interval) - instant(0)
        late = self._world.database.look(_OVERDUE, (before // timedelta(microseconds=1),))
        self._world.require(not late, Rule.DEADLINE, f"nobody decided about {late}, and they do not expire")

    def _what_can_run_starts(self, runtime: RunningRuntime) -> None:
        now = self._world.elapsed()
        before, self._could = self._could, {}
        if "scheduler" in self._world.may_hang:
            return
        for job_id in (*self._runnable(runtime), *self._overdue()):
            self._could[job_id] = before.get(job_id, now)
        could = [(job_id, now - since) for job_id, since in self._could.items()]
        late = [f"job {job_id} could run for {seconds:.0f} s" for job_id, seconds in could if seconds >= PATIENCE]
        self._world.require(not late, Rule.CAN_RUN, str(late))

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

    def _overdue(self) -> Iterator[str]:
        """Jobs whose time has come, or one of whose parents has ended, to which that was not passed on yet."""
        now = microseconds(self._world.clock.now())
        for (job_id,) in self._world.database.look(
            "SELECT job_id FROM queue_entries WHERE status IN ('pending', 'blocked') AND start_after < ?"
            " UNION SELECT d.job_id FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
            " WHERE d.parent_status IS NULL AND p.status IN ('completed', 'failed', 'cancelled')",
            (now,),
        ):
            yield job_id

    def _open(self, runtime: RunningRuntime) -> list[str]:
        """Providers that take jobs now: neither closed nor being tried out, and nothing there is kept for a job."""
        now = microseconds(self._world.clock.now())
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
