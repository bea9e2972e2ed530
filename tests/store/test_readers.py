"""Readers are shared: whoever reads much or slowly waits for themselves, and nobody waits for them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing

from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.problems import problem_of
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.store import SharedExecutor, caller
from actors.store.errors import ReadTooSlow
from actors.store.executor import PEOPLES, PEOPLES_OF_ONE
from actors.store.long_reads import Turns
from actors.testing import seeded_sources, virtual_settings

PATIENCE = 60.0


async def test_one_caller_never_has_all_readers() -> None:
    """However many reads it begins: the others go on at once, and it gets its turns as its own reads end."""
    assert PEOPLES_OF_ONE < PEOPLES
    readers, release, done = SharedExecutor(), threading.Event(), []

    async def read(who: str | None, what: Any) -> None:
        caller.set(who)
        done.append((who, await readers.run(what)))

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for _ in range(10 * PEOPLES):
                nursery.start_soon(read, "token:greedy", lambda: release.wait(PATIENCE))
            await trio.testing.wait_all_tasks_blocked()
            for who in ("token:other", None):
                await read(who, lambda: "at once")
            assert done == [("token:other", "at once"), (None, "at once")]
            release.set()
    assert len(done) == 10 * PEOPLES + 2
    assert readers._turns == {}


async def test_a_caller_that_leaves_gives_its_turn_to_its_next_read() -> None:
    readers = SharedExecutor()
    caller.set("token:x")
    with trio.CancelScope() as scope:
        scope.cancel()
        await readers.run(lambda: None)
    assert scope.cancelled_caught
    assert await readers.run(lambda: "read") == "read"


@pytest.fixture
async def on_disk(tmp_path: Path) -> Any:
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(Parts().clock.now))
    settings = attrs.evolve(virtual_settings(), state_dir=tmp_path)
    async with open_runtime(settings, Parts(providers=[provider], sources=seeded_sources(1))) as runtime:
        yield runtime


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


@pytest.mark.parametrize(
    "statement", [f"{_NUMBERS} WHERE i < 0", _NUMBERS], ids=["before its first row", "among its rows"]
)
async def test_a_read_for_a_person_ends_with_its_time(
    on_disk: RunningRuntime, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the statement or a fetch takes long; the connection serves the next reader, and 503 says what to do."""
    caller.set("token:x")
    for _ in range(3):
        with monkeypatch.context() as short:
            short.setattr("actors.store.executor.READ_SECONDS", 0.02)
            with pytest.raises(ReadTooSlow, match="ask for less") as caught:
                await on_disk.ledger.store.read(lambda connection: connection.exec_driver_sql(statement).all())
        assert (await on_disk.jobs.page()) == []
    answer = problem_of(caught.value)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert on_disk.ledger.store.reasons == ()


async def test_a_read_of_our_own_takes_its_time(on_disk: RunningRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.store.executor.READ_SECONDS", 0.0)
    counted = f"SELECT count(*) FROM ({_NUMBERS} LIMIT 100000)"
    assert await on_disk.ledger.store.read(lambda tx: tx.exec_driver_sql(counted).scalar_one()) == 100_000


async def test_a_request_reads_as_whoever_made_it(on_disk: RunningRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of one token share its turns, those of another have their own; outside of a request there is none."""
    from tests.api.servers import ORIGIN, bearer

    seen: list[str | None] = []
    executor = on_disk.ledger.store._readers
    assert isinstance(executor, SharedExecutor)
    run = executor.run

    async def noted(function: Any) -> Any:
        seen.append(caller.get())
        return await run(function)

    one, other = await bearer(on_disk, "viewer", "ana"), await bearer(on_disk, "viewer", "bo")
    monkeypatch.setattr(executor, "run", noted)
    transport = httpx.ASGITransport(app=create_app(on_disk, HttpOptions()), client=("127.0.0.1", 5))  # type: ignore[arg-type]
    keys = []
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as web:
        for headers in (one, one, other):
            seen.clear()
            assert (await web.get("/api/queue", headers=headers)).status_code == 200
            (key,) = set(seen) - {None}  # the runtime reads for itself meanwhile
            keys.append(key)
    assert keys[0] == keys[1] != keys[2]
    seen.clear()
    await on_disk.jobs.page()
    assert set(seen) == {None}


def test_long_reads_take_turns_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(), []
    assert turns.take(0.0)
    assert not turns.take(0.0), "somebody has it"
    came: list[threading.Thread] = []
    for name in ("first", "second", "third"):
        came.append(threading.Thread(target=lambda name=name: (turns.take(PATIENCE), order.append(name), turns.give())))
        came[-1].start()
        while len(turns._waiting) < len(came):
            pass
    turns.give()
    for thread in came:
        thread.join(PATIENCE)
    assert order == ["first", "second", "third"]
    assert turns.take(0.0), "nobody has it"
