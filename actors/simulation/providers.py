"""Simulated providers: their servers, which outlive processes, and the objects by which a process reaches them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs
import trio

from actors.jobs.records import Observation, Phase
from actors.providers.base import CancelAck, Found, Handle, Prepared, Submitted, View
from actors.providers.deliveries import DeliveryEvent, DeliveryReading
from actors.providers.errors import OutcomeUnknown, ProviderError, RateLimited, Unavailable
from actors.providers.scripted import (
    Asked,
    Fault,
    FaultKind,
    Refusal,
    Run,
    ScriptedOptions,
    ScriptedProvider,
    ScriptedRemote,
)
from actors.providers.scripted.provider import asked_for
from actors.simulation.checker import Checker
from actors.simulation.devices import Devices
from actors.simulation.pinned import source
from actors.simulation.world import Killed, World
from logconf.context import current_correlation_id

T = TypeVar("T")


@attrs.frozen
class _ByNumber:
    """A delivery's body is its number; there are no forged ones."""

    sent: Mapping[int, DeliveryEvent]

    def add(self, piece: bytes) -> None:
        """Nothing to do before the end."""

    def done(self, kept: bytes, size: int) -> DeliveryEvent:
        """What was sent under the number."""
        return self.sent[int(kept)]


@attrs.frozen
class DelayedSubmission:
    """A submission that arrives after its sender has given up."""

    key: str
    token: str
    asked: Asked
    context: Mapping[str, str]


class ProviderServer(ScriptedRemote):
    """The server of one provider. It reports each submission to the checker at the moment at which it accepts it."""

    def __init__(self, name: str, world: World, checker: Checker) -> None:
        super().__init__(world.true_now)
        self.name = name
        self.sent: dict[int, DeliveryEvent] = {}
        self._lags_until, self._behind, self._answers = 0.0, timedelta(), 0
        self._delays: list[float] = []
        self._late: list[tuple[float, DelayedSubmission]] = []
        self._arrived: dict[str, float] = {}
        self.world = world
        self.checker = checker
        self.devices = Devices(name, world)
        self._draw = source(world.seed, f"network to {name}")
        self._draw_loss = source(world.seed, f"nodes of {name}")

    def delay(self, times: int, seconds: float) -> None:
        """Let the next submissions arrive ``seconds`` after their senders have given up."""
        self._delays = [seconds] * times

    def lag(self, behind: float, seconds: float) -> None:
        """For ``seconds`` let every second answer about a job be so many seconds old."""
        self._lags_until, self._behind = self.elapsed() + seconds, timedelta(seconds=behind)

    def seen_at(self) -> datetime:
        """As of when the next answer about a job is."""
        self._answers += 1
        is_old = self.elapsed() < self._lags_until and self._answers % 2
        return self.now() - self._behind if is_old else self.now()

    def on_its_way(self, key: str) -> bool:
        """Whether a submission under ``key`` may still arrive."""
        return any(one.key == key for _, one in self._late)

    def has_late(self, job_id: str, within: float = 0.0) -> bool:
        """Whether a submission of this job may still arrive, or has arrived ``within`` these seconds."""
        arrived = self.elapsed() - self._arrived.get(job_id, -math.inf)
        return arrived < within or any(one.key.startswith(job_id) for _, one in self._late)

    def loses(self, submission: DelayedSubmission) -> bool:
        """Whether this submission is delayed: then it arrives later, even if its sender has ended."""
        if not self._delays:
            return False
        self._late.append((self.elapsed() + self._delays.pop(), submission))
        self.changed.unpark_all()
        return True

    async def take_late(self) -> None:
        """Accept what comes late, unless its key is known, until cancelled."""
        while True:
            due = [one for one in self._late if one[0] <= self.elapsed()]
            for one in due:
                self._late.remove(one)
                submission = one[1]
                self._arrived[submission.context["job_id"]] = self.elapsed()
                if self.by_key(submission.key) is None:
                    self.accept(submission.key, submission.token, submission.asked, submission.context, endless=False)
            wait = min((at for at, _ in self._late), default=math.inf) - self.elapsed()
            with trio.move_on_after(max(wait, 0.001)):
                await self.changed.park()

    def latency(self) -> float:
        """Seconds that a message travels, one way."""
        return self._draw.choice([0.0, 0.0, 0.01, 0.2, 0.2, 0.2, 1.0, 6.0])

    def accept(self, key: str, token: str, asked: Asked, context: Mapping[str, str], *, endless: bool) -> Run:
        """Start a run, even if another one has the same ``key``."""
        run = super().accept(key, token, asked, context, endless=endless)
        self.world.say(f"{self.name} accepts {key}")
        self.devices.lease(run, self.now())
        self.world.note(self.checker.accepted, self.name, run)
        return run

    def lose_nodes(self, share: float) -> None:
        """Interrupt about this share of what runs now."""
        now = self.now()
        for run in [one for one in self.runs if one.timeline.phase(now) in (Phase.RUNNING, Phase.STOPPING)]:
            if self._draw_loss.random() < share:
                self.interrupt(run, "its node was lost")
                self.world.say(f"{self.name} loses the node of {run.key}")
                self.world.trace.count(f"interrupted at {self.name}")

    def cancel(self, run: Run) -> bool:
        """Begin to stop ``run``."""
        obeyed = super().cancel(run)
        self.world.say(f"{self.name} cancels {run.key}: {obeyed}")
        return obeyed


class SimulatedProvider(ScriptedProvider):
    """One process's way to a :class:`ProviderServer`. ``alive``: whether that process still lives.

    Requests and answers take time: an answer may be out of date when it arrives.
    """

    def __init__(self, options: ScriptedOptions, server: ProviderServer, alive: Callable[[], bool]) -> None:
        super().__init__(options, server, server.name)
        self._server = server
        self._alive = alive

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Start a run."""
        await self._goes_out("submit", key, context["correlation_id"])
        self._server.world.note(self._server.checker.tries, self.name, context["job_id"])
        if self._server.loses(DelayedSubmission(key, token, asked_for(prepared.body), dict(context))):
            raise OutcomeUnknown("nothing was heard of it in time")
        try:
            submitted = await super().submit(key, token, prepared, context)
        except ProviderError as refusal:
            world, checker = self._server.world, self._server.checker
            world.note(checker.refusals.refused, self.name, context["job_id"], refusal)
            if isinstance(refusal, RateLimited):
                world.note(checker.waits.asked_to_wait, context["job_id"], refusal.retry_after)
            raise
        return await self._comes_back(submitted)

    async def find(self, key: str, token: str) -> Found:
        """Look a key up."""
        await self._goes_out("find", key)
        if self._server.on_its_way(key):
            raise Unavailable("it is too soon to tell", reached=True)
        return await self._comes_back(await super().find(key, token))

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Look at many."""
        await self._goes_out("observe", next(iter(handles)) if len(handles) == 1 else "")
        known = {key: _by_run(handle) for key, handle in handles.items()}
        view = await self._comes_back(await super().observe_many(known))
        if isinstance(view, View):  # a fault may answer with something else
            self._server.world.note(self._server.checker.cancels.shown, view)
        return view

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Ask for an end."""
        self._server.world.note(self._server.checker.cancels.sent, key)
        await self._goes_out("cancel", key)
        return await self._comes_back(await super().cancel(key, _by_run(handle)))

    async def forget(self, key: str, handle: Handle) -> None:
        """Drop an ended run."""
        await self._goes_out("forget", "")
        await super().forget(key, _by_run(handle))

    def read_delivery(self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> DeliveryReading:
        """Begin to read a delivery."""
        return _ByNumber(self._server.sent)

    async def delivery_secrets(self, *, fresh: bool = False) -> Sequence[str]:
        """One that never changes."""
        await trio.lowlevel.checkpoint()
        return ("secret",)

    async def _goes_out(self, call: str, key: str, correlation_id: str | None = None) -> None:
        if not self._alive():
            raise Killed
        world, checker = self._server.world, self._server.checker
        world.say(f"{self.name}.{call} {key}")
        if key:
            world.note(checker.carries, f"{self.name}.{call}", key, current_correlation_id(), correlation_id)
        await trio.sleep(self._server.latency())

    def _look(self, key: str, handle: Handle, fault: Fault | None) -> Observation | None:
        run = self.remote.by_handle(key, handle.get("run"))
        at = self._server.seen_at()
        is_old = fault is None and run is not None and at < self.remote.now()
        seen = run.timeline.observe(at) if run is not None and is_old else super()._look(key, handle, fault)
        return seen if run is None or seen is None else self._server.devices.added(run, seen)

    def _submitted(self, run: Run, *, existed: bool = False) -> Submitted:
        plain = super()._submitted(run, existed=existed)
        seen = plain.observation and self._server.devices.added(run, plain.observation)
        return attrs.evolve(plain, handle={"run": run.run_id, "id": run.run_id}, observation=seen)

    async def _comes_back(self, answer: T) -> T:
        await trio.sleep(self._server.latency())
        return answer


def _by_run(handle: Handle) -> Handle:
    """A handle that came with a delivery has the run's name as its ``id``."""
    return {"run": handle.get("run", handle.get("id"))}


def provider_fault(fields: Mapping[str, Any], elapsed: float, seconds: float) -> Fault:
    """The fault as the server knows it, for ``seconds`` from now."""
    known = dict(fields)
    kind = FaultKind(known.pop("kind"))
    calls = tuple(known.pop("calls", ()))
    refusal = Refusal(known.pop("refusal", "other"))
    return Fault(kind, calls, refusal=refusal, since=elapsed, until=elapsed + seconds, **known)
