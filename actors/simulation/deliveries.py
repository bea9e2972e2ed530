"""Webhooks: one provider reports each change; its deliveries come twice, late, in another order or never.

They belong to the world: what was sent while no process ran is delivered to the next one. A delivery describes the job
as it was when it was sent, and is taken by the runtime as any delivery.
"""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import datetime
from itertools import count

import trio

from actors.jobs.records import Observation, Phase
from actors.jobs.refusal import Refused
from actors.providers.deliveries import DeliveryEvent
from actors.providers.scripted import Run
from actors.runtime import RunningRuntime
from actors.simulation.pinned import source
from actors.simulation.process import Process, require_planned
from actors.simulation.providers import ProviderServer
from actors.simulation.rules import Rule
from actors.simulation.world import World
from logconf import bind_correlation_id

ONCE, TWICE, LATE, NEVER = range(4)
_USUAL = [90, 4, 4, 2]
_AGAIN = 20.0

_ORDER = ("pending", "uploading", "queued", "running", "completed", "failed", "cancelled")
_RANKS = {Phase.QUEUED: 2, Phase.RUNNING: 3, Phase.SUCCEEDED: 4, Phase.FAILED: 4, Phase.CANCELED: 4}
_STATES = (
    "SELECT j.status, s.state FROM submissions s JOIN jobs j ON j.job_id = s.job_id"
    " JOIN queue_entries q ON q.job_id = s.job_id WHERE s.key = ? AND coalesce(q.restored, '') != 'look_up'"
)
"""Not of a job that is still to be looked up: before that nothing else is done about it, and it is observed after."""

_Sent = tuple[float, int, int, Run]
"""When it arrives, a tie-breaker, the delivery's number, its run."""


class Deliveries:
    """What is on its way from ``server``. ``fates``: the weights of once, twice, late and never until ``until``."""

    def __init__(self, world: World, server: ProviderServer) -> None:
        self._world = world
        self._server = server
        self._draw = source(world.seed, "deliveries")
        self._fates, self._until = _USUAL, 0.0
        self._read = 0
        self._begun: Counter[int] = Counter()
        self._taken: set[int] = set()
        self._tie = count()
        self._changes: list[tuple[datetime, int, Run]] = []
        self._sent: list[_Sent] = []

    def disturb(self, fates: list[int], seconds: float) -> None:
        """Disturb deliveries for ``seconds``."""
        self._fates, self._until = fates, self._world.elapsed() + seconds

    async def run(self, process: Process, runtime: RunningRuntime) -> None:
        """Send and deliver until cancelled."""
        while True:
            self._send()
            while self._sent and self._sent[0][0] <= self._world.elapsed():
                await self._deliver(process, runtime, heapq.heappop(self._sent))
            due = [(self._changes[0][0] - self._world.true_now()).total_seconds()] if self._changes else []
            due += [self._sent[0][0] - self._world.elapsed()] if self._sent else []
            with trio.move_on_after(max(min(due, default=600.0), 0.001)):
                await self._server.changed.park()

    def _send(self) -> None:
        now = self._world.true_now()
        for run in self._server.touched[self._read :]:
            heapq.heappush(self._changes, (now, next(self._tie), run))
        self._read = len(self._server.touched)
        while self._changes and self._changes[0][0] <= now:
            _, _, run = heapq.heappop(self._changes)
            self._post(run, now)
            following = run.timeline.next_change(now)
            if following is not None:
                heapq.heappush(self._changes, (following, next(self._tie), run))

    def _post(self, run: Run, now: datetime) -> None:
        elapsed, draw = self._world.elapsed(), self._draw
        fates = self._fates if elapsed < self._until else _USUAL
        fate = draw.choices(range(4), fates)[0]
        delays = {ONCE: [0.1], TWICE: [0.1, 3.0], LATE: [600.0], NEVER: []}[fate]
        number = len(self._server.sent)
        self._server.sent[number] = DeliveryEvent(f"delivery-{number}", run.run_id, run.timeline.observe(now))
        for delay in delays:
            heapq.heappush(self._sent, (elapsed + delay * draw.random(), next(self._tie), number, run))

    async def _deliver(self, process: Process, runtime: RunningRuntime, sent: _Sent) -> None:
        _, tie, number, run = sent
        claim = self._server.sent[number].observation
        assert claim is not None
        self._begun[number] += 1
        try:
            with bind_correlation_id(f"delivery-{number}"):
                outcome = await runtime.deliveries.take(self._server.name, {}, b"%d" % number, token=run.token)
        except Exception as error:  # noqa: BLE001 - the sender goes on after any error; `unplanned` decides
            if not process.dead and not isinstance(error, Refused):  # it cannot be verified now: come again
                self._world.note(require_planned, self._world, error, Rule.CLIENTS, f"a delivery of {run.key}")
            heapq.heappush(self._sent, (self._world.elapsed() + _AGAIN, tie, number, run))
            return
        self._world.note(self._world.require, True, Rule.CLIENTS, "")
        self._world.note(self._counted, number, run, claim, str(outcome))
        self._world.say(f"delivery {number} of {run.key} ({claim.raw_status}): {outcome}")
        self._world.trace.count(f"delivery {outcome}")

    def restored(self) -> None:
        """The rows know of no delivery that came after the backup."""
        self._taken.clear()

    def _counted(self, number: int, run: Run, claim: Observation, outcome: str) -> None:
        """It is applied when it comes for the first time, and the job is not behind it then; later it is repeated."""
        world = self._world
        text = f"delivery {number} of {run.key} is {outcome}; it came {self._begun[number]} times"
        once = self._begun[number] > 1 if outcome == "repeated" else number not in self._taken
        world.require(once, Rule.DELIVERED_ONCE, text)
        self._taken.add(number)
        if outcome == "applied" and claim.phase in _RANKS:
            for status, state in world.database.look(_STATES, (run.key,)):
                text = f"{run.key} is {status} after a delivery that says {claim.phase}"
                world.require(
                    state == "closed" or _ORDER.index(status) >= _RANKS[claim.phase], Rule.DELIVERED_ONCE, text
                )
