"""Two sources of time, and waiting for a wall-clock deadline that may move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio

from actors.kernel import SystemClock, VirtualClock

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


async def test_the_systems_clock_is_aware_utc_and_monotonic_is_trios():
    clock = SystemClock()
    before = datetime.now(UTC)
    now = clock.now()
    assert now.utcoffset() == timedelta(0)
    assert before <= now <= datetime.now(UTC)
    assert abs(clock.monotonic() - trio.current_time()) < 60


async def test_virtual_time_follows_the_mock_clock_and_its_wall_may_be_moved(autojump_clock):
    clock = VirtualClock(NOON)
    await trio.sleep(90)
    assert clock.now() == NOON + timedelta(seconds=90)
    clock.move(timedelta(hours=-1))
    assert clock.now() == NOON + timedelta(seconds=90) - timedelta(hours=1)
    assert clock.monotonic() == 90


async def test_sleeping_until_a_wall_deadline_ends_at_that_time(autojump_clock):
    clock = VirtualClock(NOON)
    await clock.sleep_until(NOON + timedelta(hours=2))
    assert clock.now() == NOON + timedelta(hours=2)


async def test_a_step_of_the_wall_clock_is_noticed_within_thirty_seconds(autojump_clock):
    """The laptop slept for five hours: the wall moved on, trio's clock did not."""
    clock = VirtualClock(NOON)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, NOON + timedelta(hours=4))
        await trio.sleep(60)
        clock.move(timedelta(hours=5))
    assert 60 <= trio.current_time() <= 90


async def test_a_wall_clock_that_is_set_back_makes_the_sleep_longer(autojump_clock):
    clock = VirtualClock(NOON)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.sleep_until, NOON + timedelta(minutes=10))
        await trio.sleep(60)
        clock.move(timedelta(minutes=-5))
    assert trio.current_time() == 15 * 60


async def test_a_deadline_that_has_passed_returns_at_once_and_is_a_checkpoint(autojump_clock):
    clock = VirtualClock(NOON)
    with trio.testing.assert_checkpoints():
        await clock.sleep_until(NOON - timedelta(seconds=1))
    assert trio.current_time() == 0


@pytest.mark.parametrize(("remaining", "look"), [(5.0, 5.0), (3600.0, 30.0), (-5.0, 0.0)])
async def test_the_next_look_is_at_the_deadline_or_in_thirty_seconds(autojump_clock, remaining, look):
    clock = VirtualClock(NOON)
    assert clock.look_again(NOON + timedelta(seconds=remaining)) == look


async def test_a_naive_start_is_refused():
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2024, 6, 1))  # noqa: DTZ001 - the mistake under test
