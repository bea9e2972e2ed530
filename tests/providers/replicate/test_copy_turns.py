"""Whose results are copied when: nobody's copying keeps another's from being made in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from actors.providers.replicate.copy_turns import FIRST_PAUSE, PLACES, SLOW_PLACES, TURN, PendingCopy, Turns

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0


def pending(key: str, expires: float = HOUR) -> PendingCopy:
    return PendingCopy(key, {"id": key}, START + timedelta(seconds=expires))


class Copier:
    """Copies as long as each job takes, and keeps what it was asked to do and what it finished, with the times."""

    def __init__(self, seconds: Callable[[str], float]) -> None:
        self.seconds = seconds
        self.begun: list[tuple[float, str]] = []
        self.done: dict[str, float] = {}
        self.now: set[str] = set()
        self.most = 0
        self.failures: dict[str, int] = {}

    async def __call__(self, pending: PendingCopy) -> bool:
        self.begun.append((trio.current_time(), pending.key))
        self.now.add(pending.key)
        self.most = max(self.most, len(self.now))
        try:
            await trio.sleep(self.seconds(pending.key))
        finally:
            self.now.discard(pending.key)
        if self.failures.get(pending.key, 0) > 0:
            self.failures[pending.key] -= 1
            return False
        self.done[pending.key] = trio.current_time()
        return True


async def running(copy: Copier, then: Callable[[Turns], Awaitable[None]], *wishes: PendingCopy) -> None:
    turns = Turns(copy)
    for one in wishes:
        turns.add(one)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(turns.run)
        await then(turns)
        nursery.cancel_scope.cancel()


def waiting(seconds: float) -> Callable[[Turns], Awaitable[None]]:
    async def wait(_turns: Turns) -> None:
        await trio.sleep(seconds)

    return wait


async def test_jobs_are_copied_at_once_and_no_more_than_there_are_places(autojump_clock: MockClock) -> None:
    copy = Copier(lambda _key: 60.0)
    await running(copy, waiting(125), *[pending(f"j{number}") for number in range(2 * PLACES)])
    assert copy.most == PLACES
    assert sorted(copy.done.values()) == [60.0] * PLACES + [120.0] * PLACES


async def test_what_vanishes_first_is_copied_first(autojump_clock: MockClock) -> None:
    """After a start there may be many at once."""
    copy = Copier(lambda _key: 60.0)
    wishes = [pending(f"j{number}", expires=HOUR - number) for number in range(2 * PLACES)]
    await running(copy, waiting(125), *wishes)
    first = {key for at, key in copy.begun if at == 0}
    assert first == {f"j{number}" for number in range(PLACES, 2 * PLACES)}


@pytest.mark.parametrize("slow", [1, PLACES, 5 * PLACES])
async def test_jobs_that_take_for_ever_delay_nobody_past_the_hour(slow: int, autojump_clock: MockClock) -> None:
    """They come first and fill every place; quick ones that come later are all copied long before theirs are gone."""
    copy = Copier(lambda key: 1e9 if key.startswith("slow") else 5.0)

    async def later(turns: Turns) -> None:
        for number in range(600):  # as many as can be begun in a minute there, over twenty
            await trio.sleep(2)
            turns.add(pending(f"quick{number}"))
        await trio.sleep(1800)

    await running(copy, later, *[pending(f"slow{number}") for number in range(slow)])
    waits = [copy.done[f"quick{number}"] - 2 * (number + 1) for number in range(600)]
    assert max(waits) < HOUR / 2
    assert sorted(waits)[len(waits) // 2] < 2 * TURN


async def test_a_large_copy_is_made_though_others_wait_all_the_time(autojump_clock: MockClock) -> None:
    """It gives its place up after a turn, and each of its turns is twice as long as the one before."""
    copy = Copier(lambda key: 400.0 if key == "large" else 30.0)

    async def later(turns: Turns) -> None:
        for number in range(2000):
            await trio.sleep(1.5)
            turns.add(pending(f"quick{number}"))

    await running(copy, later, pending("large"))
    assert copy.done["large"] < HOUR / 2
    assert len([key for _, key in copy.begun if key == "large"]) > 1


async def test_slow_ones_take_turns_and_never_have_all_places(autojump_clock: MockClock) -> None:
    """Whoever comes new begins at once, and each of the slow ones gets on from time to time."""
    copy = Copier(lambda key: 5.0 if key == "new" else 1e9)

    async def new(turns: Turns) -> None:
        await trio.sleep(700)
        assert len(copy.now) == SLOW_PLACES
        turns.add(pending("new"))
        await trio.sleep(HOUR)

    await running(copy, new, *[pending(f"j{number}") for number in range(3 * PLACES)])
    assert copy.done == {"new": 705.0}
    times = [sum(key == f"j{number}" for _, key in copy.begun) for number in range(3 * PLACES)]
    assert min(times) >= 2
    assert max(times) - min(times) <= 1


async def test_a_failed_copy_is_tried_again_and_the_pauses_grow(autojump_clock: MockClock) -> None:
    copy = Copier(lambda _key: 0.0)
    copy.failures["j"] = 4
    await running(copy, waiting(HOUR), pending("j"))
    times = [at for at, _ in copy.begun]
    assert [b - a for a, b in pairwise(times)] == [FIRST_PAUSE * 2**n for n in range(4)]


async def test_a_run_that_was_cut_off_goes_on_with_the_next(autojump_clock: MockClock) -> None:
    """A watch that failed is begun again on the same provider."""
    copy = Copier(lambda _key: 100.0)
    turns = Turns(copy)
    turns.add(pending("j"))
    for seconds in (10, 150):
        with trio.move_on_after(seconds):
            await turns.run()
    assert copy.done == {"j": 110.0}
