"""A runtime over a simulated remote, in virtual time: a day takes a moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine

from actors.jobs.records import Event, Job
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.simulation.database import Database, engine
from actors.store import StoreUnavailable
from actors.testing import request, running_runtime, seeded_sources, virtual_settings


@attrs.define
class World:
    """The outside: a clock, a remote that outlives our restarts, and how to open a runtime on them."""

    clock: VirtualClock
    remote: ScriptedRemote
    runtime: RunningRuntime | None = None

    @asynccontextmanager
    async def open(
        self,
        *,
        options: ScriptedOptions | None = None,
        others: Sequence[Any] = (),
        name: str = "scripted",
        engine: Engine | None = None,
        **settings: Any,
    ) -> AsyncIterator[RunningRuntime]:
        """A runtime with provider ``name`` on this world's remote, and ``others`` beside it.

        ``engine``: of a database that outlives the runtime; None: it has one of its own.
        """
        provider = ScriptedProvider(options or ScriptedOptions(), self.remote, name)
        providers, sources = [provider, *others], seeded_sources(1)
        made = Parts(clock=self.clock, in_memory=True, sources=sources, providers=providers, engine=engine)
        async with running_runtime(settings=virtual_settings(**settings), parts=made) as self.runtime:
            yield self.runtime

    async def submit(self, **fields: Any) -> Job:
        """Submit one simulated job."""
        assert self.runtime is not None
        return await self.runtime.submit(request(**fields))

    async def events(self, job_id: str | None = None) -> list[Event]:
        """All events so far."""
        assert self.runtime is not None
        return await self.runtime.event_reader.past_events(job_id=job_id)


@pytest.fixture
async def world() -> World:
    clock = VirtualClock()
    return World(clock, ScriptedRemote(lambda: clock.now()))


@pytest.fixture
def kept_engine() -> Iterator[Engine]:
    """Of a database that outlives the runtimes of a test."""
    database = Database()
    yield engine()
    database.close()


def fail_reading(monkeypatch: pytest.MonkeyPatch, runtime: RunningRuntime, query: Callable[..., Any]) -> None:
    """From now on ``query`` of the ledger fails, and every other one succeeds."""
    real = runtime.ledger.read

    async def read(asked: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if asked is query:
            raise RuntimeError("the rows are away")
        return await real(asked, *args, **kwargs)

    monkeypatch.setattr(runtime.ledger, "read", read)


def fail_writing_an_answer(monkeypatch: pytest.MonkeyPatch, runtime: RunningRuntime) -> None:
    """The next provider's answer that is written together with a look at the queue cannot be written."""
    store = runtime.ledger.store
    write = store.write_together

    async def unable(closures: Sequence[Any]) -> Any:
        if len(closures) > 1:
            monkeypatch.setattr(store, "write_together", write)
            raise StoreUnavailable("the disk is full")
        return await write(closures)

    monkeypatch.setattr(store, "write_together", unable)
