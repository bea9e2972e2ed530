"""Steps of the wall clock are found against a clock that nobody sets, told until they are applied, and added up."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from actors.kernel import SystemClock, VirtualClock
from actors.kernel.steps import LEAP, QUIET, TOLERANCE, StepWatch

HOUR = timedelta(hours=1)


@pytest.fixture
async def clock(autojump_clock) -> VirtualClock:
    return VirtualClock()


async def test_time_that_passes_and_time_asleep_are_no_step(autojump_clock, clock):
    watch = StepWatch(clock)
    await trio.sleep(10_000)
    clock.suspend(100 * HOUR)
    assert watch.read()[1] is None
    assert watch.quiet_seconds() == 0


@pytest.mark.parametrize("by", [-3 * HOUR, timedelta(seconds=-1), timedelta(seconds=1), 3 * HOUR])
async def test_a_step_is_told_until_it_is_applied_and_then_no_more(autojump_clock, clock, by):
    watch = StepWatch(clock)
    clock.move(by)
    first, again = watch.read()[1], watch.read()[1]
    assert first.by == again.by == by
    watch.applied(first)
    assert watch.read()[1] is None
    clock.move(-by)
    assert watch.read()[1].by == -by


async def test_what_two_readings_one_after_the_other_differ_by_is_no_step(autojump_clock, clock):
    watch = StepWatch(clock)
    clock.move(TOLERANCE / 2)
    assert watch.read()[1] is None


@pytest.mark.parametrize(
    ("moves", "leaps"),
    [
        ([LEAP], [None]),
        ([LEAP + TOLERANCE], [LEAP + TOLERANCE]),
        ([40 * HOUR / 60, 40 * HOUR / 60], [None, 80 * HOUR / 60]),  # a leap in two
        ([-3 * HOUR, 3 * HOUR], [None, 3 * HOUR]),
        ([3 * HOUR, -3 * HOUR, 3 * HOUR], [3 * HOUR, None, 3 * HOUR]),
        ([3 * HOUR, HOUR / 2], [3 * HOUR, None]),
    ],
)
async def test_a_leap_is_more_than_an_hour_ahead_of_where_the_clock_stood_lowest(autojump_clock, clock, moves, leaps):
    watch, told = StepWatch(clock), []
    for by in moves:
        clock.move(by)
        step = watch.read()[1]
        told.append(step.forward)
        watch.applied(step)
    assert told == leaps


async def test_after_a_step_of_just_an_hour_the_noise_of_two_clocks_is_no_leap(autojump_clock, clock):
    watch = StepWatch(clock)
    clock.move(LEAP)
    watch.applied(watch.read()[1])
    clock.move(TOLERANCE / 10)
    assert watch.read()[1] is None
    assert watch.quiet_seconds() == 0


async def test_nothing_expires_for_ten_minutes_after_a_leap_and_another_leap_meanwhile_adds_nothing(
    autojump_clock, clock
):
    watch = StepWatch(clock)
    for seconds in (60, 539.5, 2):
        clock.move(2 * HOUR)
        watch.applied(watch.read()[1])
        await trio.sleep(seconds)
    assert watch.quiet_seconds() == 0
    clock.move(2 * HOUR)
    assert watch.quiet_seconds() == QUIET.total_seconds() == 600


async def test_a_leap_that_an_earlier_process_noticed_has_the_rest_of_its_ten_minutes(autojump_clock, clock):
    watch = StepWatch(clock)
    watch.remember_leap(timedelta(minutes=9))
    assert watch.quiet_seconds() == 60
    watch.remember_leap(timedelta(days=9))
    assert watch.quiet_seconds() == 0


async def test_a_machine_that_slept_between_the_two_readings_is_read_again(autojump_clock, clock, monkeypatch):
    watch = StepWatch(clock)
    now = clock.now
    naps = iter([8 * HOUR, timedelta()])

    def slow_now():
        told = now()
        clock.suspend(next(naps))
        return told

    monkeypatch.setattr(clock, "now", slow_now)
    assert watch.read()[1] is None


def test_the_systems_steady_clock_goes_on():
    clock = SystemClock()
    first = clock.steady()
    assert 0 <= clock.steady() - first < 60
