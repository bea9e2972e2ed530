"""A runtime that has ended, or is starting its store again, refuses each operation in a plain sentence."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.jobs.approval_rules import DEFAULT_RULES
from actors.jobs.records import Event
from actors.jobs.refusal import Refused
from actors.jobs.selections import Selection
from actors.kernel import ActorDown, VirtualClock
from actors.ledger import deaths
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.store import InlineExecutor, StoreError
from actors.testing import request, seeded_sources, virtual_settings

SUBJECTS = (
    "", "access", "approvals", "deliveries", "event_reader", "health", "jobs", "log_reader", "metrics", "notifications",
    "providers", "queue", "removing", "restore", "rules", "selections", "series",
)  # fmt: skip
FROM_MEMORY = frozenset(
    {
        "access.session_peer", "access.sign_in_with_code", "access.sign_in_with_token", "access.sign_out",
        "access.token_peer", "deliveries.take", "providers.aclose", "quiesce",
    }
)  # fmt: skip
"""What needs no rows for these arguments: unknown secrets, a delivery to a provider that takes none, the end itself."""
GIVEN: dict[str, Any] = {
    "request": request(), "requests": [request()], "matrix": {"lr": [1, 2]}, "rule": DEFAULT_RULES[0],
    "selection": Selection(user_id="ana"), "name": "per_user", "value": 3, "override": None, "verdict": "failed",
    "level": "admin", "after": 0, "limit": 10, "rule_id": 1, "lifetime": None, "jobs": [], "headers": {}, "body": b"",
    "provider": "scripted",
}  # fmt: skip
"""Arguments by name; all others are texts."""


def _operations(runtime: RunningRuntime) -> Iterator[tuple[str, Any]]:
    for subject in SUBJECTS:
        owner = getattr(runtime, subject) if subject else runtime
        for name, _ in inspect.getmembers(type(owner), inspect.iscoroutinefunction):
            if not name.startswith("_") and (subject, name) != ("access", "keep"):  # a child of the runtime
                yield f"{subject}.{name}".lstrip("."), getattr(owner, name)


def _arguments(operation: Any) -> dict[str, Any]:
    needed = inspect.signature(operation).parameters.values()
    plain = [one.name for one in needed if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    given = {name: GIVEN.get(name, "0" * 32) for name in plain}
    if "requests" in given and operation.__name__ == "jobs_of":
        given["requests"] = []
    return given


async def _ended(place: Path | None) -> RunningRuntime:
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(
        clock=clock, in_memory=place is None, sources=seeded_sources(1), providers=[provider], executor=InlineExecutor()
    )
    settings = virtual_settings()
    async with open_runtime(settings if place is None else attrs.evolve(settings, state_dir=place), parts) as runtime:
        await runtime.submit(request())
    return runtime


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "on disk"])
async def test_every_operation_after_the_end_is_refused(
    autojump_clock: MockClock, tmp_path: Path, *, in_memory: bool
) -> None:
    """With the store's error, or the refusal of the arguments; never by an assertion, and never from rows."""
    runtime = await _ended(None if in_memory else tmp_path / "state")
    answered = set()
    for name, operation in _operations(runtime):
        with suppress(StoreError, ActorDown, Refused):
            await operation(**_arguments(operation))
            answered.add(name)
    assert answered == FROM_MEMORY


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "on disk"])
async def test_the_sentence_says_that_the_runtime_has_ended(
    autojump_clock: MockClock, tmp_path: Path, *, in_memory: bool
) -> None:
    runtime = await _ended(None if in_memory else tmp_path / "state")
    words = "is closed: its runtime has ended, or is starting it again"
    for operation in (runtime.submit(request()), runtime.jobs.page(), runtime.cancel("x"), runtime.wait("x")):
        with pytest.raises(StoreError, match=words):
            await operation
    with pytest.raises(StoreError, match=words):
        await anext(runtime.events())


async def test_several_at_once_are_each_refused(autojump_clock: MockClock) -> None:
    """One group of the writer: nobody is left waiting."""
    runtime = await _ended(None)
    refused: list[str] = []

    async def write() -> None:
        with pytest.raises(StoreError) as error:
            await runtime.ledger.write(deaths.note_stop)
        refused.append(str(error.value))

    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            for _ in range(250):
                nursery.start_soon(write)
    assert len(refused) == 250


@pytest.mark.parametrize("in_memory", [True, False], ids=["in memory", "on disk"])
async def test_who_waits_when_the_runtime_ends_learns_it(
    autojump_clock: MockClock, tmp_path: Path, *, in_memory: bool
) -> None:
    """For a job, for an event, for one from the rows on: nobody waits for ever."""
    clock, learned = VirtualClock(), []
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(
        clock=clock, in_memory=in_memory, sources=seeded_sources(1), providers=[provider], executor=InlineExecutor()
    )

    async def wait(operation: Awaitable[object]) -> None:
        with pytest.raises(StoreError, match="the runtime has ended"):
            await operation
        learned.append(operation)

    async def follow(events: AsyncIterator[Event]) -> None:
        async for _ in events:
            pass

    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            settings = attrs.evolve(virtual_settings(), state_dir=tmp_path / "state")
            async with open_runtime(settings, parts) as runtime:
                job = await runtime.submit(request(duration=10**6))
                for operation in (runtime.wait(job.job_id), follow(runtime.events()), follow(runtime.events(after=0))):
                    nursery.start_soon(wait, operation)
                await wait_all_tasks_blocked()
    assert len(learned) == 3
    assert not runtime.tallies.subscribers
