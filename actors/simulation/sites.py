"""Providers' machines as they stand outside, and the objects by which one process after another reaches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors.providers.base import CancelAck, Found, Handle, Prepared, Submitted, View
from actors.providers.errors import RateLimited
from actors.providers.scripted import Asked, Run, ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.simulation.judge import Judge
from actors.simulation.trace import Killed
from actors.simulation.world import World
from logconf.context import current_correlation_id


class Machine(ScriptedRemote):
    """One provider's far side. It shows the judge whatever it accepts, in the moment in which it does."""

    def __init__(self, name: str, world: World, judge: Judge) -> None:
        super().__init__(world.true_now)
        self.name = name
        self._world = world
        self._judge = judge

    def accept(self, key: str, token: str, asked: Asked, context: Mapping[str, str], *, endless: bool) -> Run:
        """Start a run, whatever else runs under ``key``."""
        run = super().accept(key, token, asked, context, endless=endless)
        self._world.say(f"{self.name} accepts {key}")
        self._judge.accepted(self.name, run)
        return run

    def cancel(self, run: Run) -> bool:
        """Begin to stop ``run``."""
        obeyed = super().cancel(run)
        self._world.say(f"{self.name} cancels {run.key}: {obeyed}")
        return obeyed


class Site(ScriptedProvider):
    """One process's way to a :class:`Machine`. ``alive`` tells whether that process still is."""

    def __init__(
        self, options: ScriptedOptions, machine: Machine, world: World, judge: Judge, alive: Callable[[], bool]
    ) -> None:
        super().__init__(options, machine, machine.name)
        self._world = world
        self._judge = judge
        self._alive = alive

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Start a run."""
        self._asked("submit", key, context["correlation_id"])
        self._judge.tries(self.name, context["job_id"])
        try:
            return await super().submit(key, token, prepared, context)
        except RateLimited as refusal:
            self._judge.asked_to_wait(context["job_id"], refusal.retry_after)
            raise

    async def find(self, key: str, token: str) -> Found:
        """Look a key up."""
        self._asked("find", key)
        return await super().find(key, token)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Look at many."""
        self._asked("observe", next(iter(handles)) if len(handles) == 1 else "")
        return await super().observe_many(handles)

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Ask for an end."""
        self._asked("cancel", key)
        return await super().cancel(key, handle)

    async def forget(self, key: str, handle: Handle) -> None:
        """Drop an ended run."""
        self._asked("forget", "")
        await super().forget(key, handle)

    def _asked(self, call: str, key: str, correlation_id: str | None = None) -> None:
        if not self._alive():
            raise Killed
        self._world.say(f"{self.name}.{call} {key}")
        if key:
            self._judge.carries(f"{self.name}.{call}", key, current_correlation_id(), correlation_id)
