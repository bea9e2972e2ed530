"""A way to run actors without a supervisor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorRef, run_actor
from tests.kernel.workers import Worker


class Crew:
    """Runs actors in one nursery; a crash ends the actor and is kept in ``crashes``."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.crashes: list[BaseException] = []
        self.seen: list[Any] = []

    async def start(self, ref: ActorRef, factory: Callable[[], Actor] | None = None) -> ActorRef:
        await self.nursery.start(self._run, ref, factory or (lambda: Worker(self.seen)))
        return ref

    async def _run(self, ref: ActorRef, factory: Callable[[], Actor], *, task_status: trio.TaskStatus[Any]) -> None:
        try:
            await run_actor(ref, factory, task_status=task_status)
        except Exception as error:
            self.crashes.append(error)


@asynccontextmanager
async def running_crew() -> AsyncIterator[Crew]:
    async with trio.open_nursery() as nursery:
        yield Crew(nursery)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    async with running_crew() as crew:
        yield crew
