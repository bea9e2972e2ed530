"""Providers that each break one promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
import trio

from actors.jobs.records import Capacity, JobRequest, Observation, Phase
from actors.providers.base import CancelAck, Handle, LogChunk, Prepared, Submitted, View
from actors.providers.errors import NotFound
from actors.providers.scripted import ScriptedProvider


def observing(change: Callable[[Observation], Observation]) -> type[ScriptedProvider]:
    """A provider that reports jobs as ``change`` makes them."""

    class Observing(ScriptedProvider):
        async def observe_many(self, handles: Mapping[str, Handle]) -> View:
            view = await super().observe_many(handles)
            return attrs.evolve(view, observations={key: change(one) for key, one in view.observations.items()})

    return Observing


def answering(**calls: Any) -> type[ScriptedProvider]:
    """A provider whose calls return these values, whatever they are asked."""

    def method(value: Any) -> Callable[..., Any]:
        async def call(self: ScriptedProvider, *args: Any, **kwargs: Any) -> Any:
            await trio.lowlevel.checkpoint()
            return value

        return call

    return type("Answering", (ScriptedProvider,), {name: method(value) for name, value in calls.items()})


def having(**calls: Any) -> type[ScriptedProvider]:
    """The same of calls that do not wait."""
    return type("Having", (ScriptedProvider,), {name: lambda *_, one=one: one for name, one in calls.items()})


class BodyChanges(ScriptedProvider):
    count = 0

    def prepare(self, request: JobRequest) -> Prepared:
        self.count += 1
        return Prepared({**super().prepare(request).body, "count": self.count})


class AcceptsAnything(ScriptedProvider):
    def prepare(self, request: JobRequest) -> Prepared:
        return super().prepare(JobRequest(provider="scripted", spec={"duration": 1}))


class CapacityShrinks(ScriptedProvider):
    left = 10

    def capacity(self) -> Capacity:
        self.left -= 1
        return Capacity(cpus=self.left)


class AlwaysNew(ScriptedProvider):
    async def submit(self, *args: Any) -> Submitted:
        return attrs.evolve(await super().submit(*args), existed=False)


class AlwaysThere(ScriptedProvider):
    async def submit(self, *args: Any) -> Submitted:
        return attrs.evolve(await super().submit(*args), existed=True)


class HandlesDiffer(ScriptedProvider):
    count = 0

    async def submit(self, *args: Any) -> Submitted:
        answer = await super().submit(*args)
        self.count += 1
        return attrs.evolve(answer, handle={**answer.handle, "number": self.count})


class SeesNothing(ScriptedProvider):
    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        await trio.lowlevel.checkpoint()
        return View()


class SeesTheFirst(ScriptedProvider):
    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        view = await super().observe_many(handles)
        return attrs.evolve(view, observations=dict(list(view.observations.items())[:1]))


class SeesStrangers(ScriptedProvider):
    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        view = await super().observe_many(handles)
        return attrs.evolve(view, observations={**view.observations, "stranger": Observation(Phase.RUNNING)})


def viewing(**changes: Any) -> type[ScriptedProvider]:
    """A provider whose views have these values."""

    class Viewing(ScriptedProvider):
        async def observe_many(self, handles: Mapping[str, Handle]) -> View:
            return attrs.evolve(await super().observe_many(handles), **changes)

    return Viewing


class UnknownRuns(ScriptedProvider):
    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        await super().observe_many(handles)
        return View({key: Observation(Phase.RUNNING) for key in handles})


class CancelKills(ScriptedProvider):
    cancelled = False

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        self.cancelled = True
        return await super().cancel(key, handle)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        view = await super().observe_many(handles)
        if not self.cancelled:
            return view
        return View({key: attrs.evolve(one, phase=Phase.FAILED) for key, one in view.observations.items()})


class LogsRepeat(ScriptedProvider):
    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        async for chunk in super().logs(key, handle):
            yield chunk


class LogsAreEmpty(ScriptedProvider):
    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        await trio.lowlevel.checkpoint()
        if key is None:
            yield LogChunk(b"", "")


class ForgetsOnce(ScriptedProvider):
    gone: frozenset[str] = frozenset()

    async def forget(self, key: str, handle: Handle) -> None:
        if key in self.gone:
            raise NotFound("there is no such job")
        self.gone |= {key}
        await super().forget(key, handle)


class EndsWander(ScriptedProvider):
    looks = 0

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        view = await super().observe_many(handles)
        self.looks += 1
        later = timedelta(seconds=self.looks)
        return View(
            {
                key: attrs.evolve(one, completed_at=one.completed_at + later) if one.completed_at else one
                for key, one in view.observations.items()
            }
        )


def without_zone(one: Observation) -> Observation:
    return attrs.evolve(one, started_at=datetime(2024, 1, 1), completed_at=datetime(2024, 1, 2))  # noqa: DTZ001
