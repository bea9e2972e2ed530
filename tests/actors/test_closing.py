"""The end of a runtime: providers are closed after everything that asks them has ended."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.store.errors import StoreError
from actors.testing import request, running_runtime, seeded_sources, virtual_settings
from supervision import FaultPlan


class Noted(ScriptedProvider):
    """Notes when it is watched, and when it is closed; no longer usable once it is."""

    def __init__(self, remote: ScriptedRemote, notes: list[str]) -> None:
        super().__init__(ScriptedOptions(), remote)
        self.notes = notes

    async def watch(self, nudge: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.notes.append("no longer watched")

    async def observe_many(self, handles: Any) -> Any:
        if "closed" in self.notes:
            raise ValueError("I/O operation on closed epoll object")
        return await super().observe_many(handles)

    async def aclose(self) -> None:
        await trio.sleep(1)  # the poller has its beat meanwhile, if it lives
        self.notes.append("closed")


@pytest.mark.parametrize("fails", [False, True], ids=["well", "by an error"])
async def test_a_provider_is_closed_after_nobody_watches_it(
    fails: bool, autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock, notes = VirtualClock(), list[str]()
    provider = Noted(ScriptedRemote(clock.now), notes)
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    try:
        async with running_runtime(settings=virtual_settings(), parts=parts) as runtime:
            for _ in range(3):
                await runtime.submit(request(duration=1000))
            await trio.sleep(10)
            if fails:
                raise LookupError
    except* LookupError:
        pass
    assert notes == ["no longer watched", "closed"]
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_the_error_of_the_block_leaves_it_where_the_scheduler_fails_while_it_stops(autojump_clock: Any) -> None:
    """The disk is full when a submission that is in progress is to be recorded."""
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    plan = FaultPlan(seed=1, strict=False).at("provider.before:scripted.submit", occurrence=1, do="delay", delay=2)

    async def program() -> None:
        async with running_runtime(provider, clock=clock) as runtime:
            await runtime.submit(request(duration=3600))
            await trio.sleep(1)
            plan.at("commit.before", probability=1.0, do="crash", exc=StoreError("disk full"))
            raise KeyError("the program's own error")

    with plan, pytest.raises(KeyError, match="own"):
        await program()
