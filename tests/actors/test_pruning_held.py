"""Nothing is removed by its age on the word of a clock that leapt (C6). Weeks take a moment."""

from __future__ import annotations

import logging
from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs import retention
from actors.jobs.records import Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retention import HOLD_SECONDS, Hold, too_many
from actors.kernel import VirtualClock
from actors.ledger.prune import drop_keys
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.settings import Retention
from actors.store import InlineExecutor
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@attrs.define
class Machine:
    """A machine whose rows outlive its runtimes."""

    clock: VirtualClock
    provider: ScriptedProvider
    directory: object

    def open(self, **settings):
        made = attrs.evolve(virtual_settings(), state_dir=self.directory, **settings)
        parts = Parts(clock=self.clock, executor=InlineExecutor(), sources=seeded_sources(1), providers=[self.provider])
        return running_runtime(settings=made, parts=parts)


@pytest.fixture
async def machine(autojump_clock, tmp_path) -> Machine:
    clock = VirtualClock()
    return Machine(clock, ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now)), tmp_path)


@pytest.fixture
def an_hour_of_hold(monkeypatch) -> None:
    """A day of scheduler's looks takes a while even in virtual time: what counts a day is shown by itself."""
    monkeypatch.setattr(retention, "HOLD_SECONDS", 3600.0)


def test_a_hold_is_over_after_twenty_four_hours_of_running():
    hold = Hold("why", VirtualClock()._start)
    assert not hold.after(12 * 3600).after(12 * 3600 - 1).over
    assert hold.after(12 * 3600).after(12 * 3600).over
    assert HOLD_SECONDS == 24 * 3600


async def ended(runtime, number=1, **fields) -> list[Job]:
    """So many jobs that have come to their end."""
    wanted = [request(duration=1, **fields) for _ in range(number)]
    accepted = await runtime.jobs.submit_many(wanted)
    return [await runtime.wait(one.job.job_id) for one in accepted]


async def number(runtime) -> int:
    return len(await runtime.jobs.page(limit=1000))


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_clock_ninety_one_days_ahead_for_an_hour_removes_nothing(autojump_clock, machine, caplog):
    async with machine.open() as runtime:
        await ended(runtime, 20)
        machine.clock.move(91 * DAY)
        await trio.sleep(7300)  # the pruner looked twice at the least
        assert await number(runtime) == 20
        (line,) = warnings(caplog)
        assert line.startswith("Nothing is removed by its age: the wall clock went forward by 91 days")
        machine.clock.move(-91 * DAY)
        await trio.sleep(7300)
        assert await number(runtime) == 20
    assert len(warnings(caplog)) == 1


async def test_the_running_time_of_a_hold_is_added_up_over_restarts(autojump_clock, machine, caplog, an_hour_of_hold):
    async with machine.open() as runtime:
        await ended(runtime, 3)
        machine.clock.move(91 * DAY)
        await trio.sleep(1500)
        assert await number(runtime) == 3
    machine.clock.suspend(6 * DAY)  # what does not run does not count
    async with machine.open() as runtime:
        await trio.sleep(1500)
        assert await number(runtime) == 3
        machine.clock.move(2 * HOUR)  # a further step does not begin it anew
        await trio.sleep(120)
        assert await number(runtime) == 3
    async with machine.open() as runtime:
        await trio.sleep(1500)
        assert await number(runtime) == 0
    assert len([line for line in warnings(caplog) if line.startswith("Nothing is removed")]) == 1


async def test_a_start_with_a_clock_that_is_ahead_removes_nothing(autojump_clock, machine, caplog):
    async with machine.open() as runtime:
        await ended(runtime, 3)
    machine.clock.move(91 * DAY)
    async with machine.open() as runtime:
        await trio.sleep(4000)
        assert await number(runtime) == 3
        assert any("the newest event was 91 days old" in line for line in warnings(caplog))


async def test_a_leap_is_remembered_by_the_next_start_even_where_events_of_the_new_time_came_between(
    autojump_clock, machine
):
    """The first event that bears the wrong time is never there without the hold: both are written before it."""
    async with machine.open() as runtime:
        await ended(runtime, 3)
        machine.clock.move(91 * DAY)
        await ended(runtime, 1)
    async with machine.open() as runtime:
        await trio.sleep(4000)
        assert await number(runtime) == 4


@pytest.mark.parametrize("away", [7 * DAY - HOUR, 7 * DAY + HOUR])
async def test_a_start_is_held_where_the_newest_event_is_more_than_seven_days_old(autojump_clock, machine, away):
    async with machine.open() as runtime:
        await ended(runtime, 3)
    machine.clock.suspend(away)
    async with machine.open(retention=Retention(1)) as runtime:
        await trio.sleep(100)
        assert await number(runtime) == (3 if away > 7 * DAY else 0)


async def test_an_hour_forward_is_no_leap(autojump_clock, machine):
    async with machine.open(retention=Retention(1)) as runtime:
        await ended(runtime, 3)
        machine.clock.suspend(23 * HOUR + HOUR / 2)
        machine.clock.move(HOUR)
        await trio.sleep(4000)
        assert await number(runtime) == 0


@pytest.mark.parametrize(
    ("old", "kept", "held"),
    [(100, 100, False), (101, 101, True), (101, 1010, False), (102, 1010, True), (1000, 100_000, False)],
)
def test_more_than_a_tenth_and_more_than_a_hundred_at_once_are_too_many(old, kept, held):
    assert (too_many(old, kept) is not None) is held


async def test_a_pass_that_would_remove_much_is_held_and_goes_after_a_day_whatever_it_removes(
    autojump_clock, machine, caplog, an_hour_of_hold
):
    async with machine.open(retention=Retention(1)) as runtime:
        for _ in range(11):
            await ended(runtime, 10)
        machine.clock.suspend(2 * DAY)
        await trio.sleep(100)
        assert await number(runtime) == 110
        assert warnings(caplog) == [
            (
                "Nothing is removed by its age: 110 of 110 jobs would be removed in one pass; ends after 1.0 h more of "
                "running, or at once with: greenroom prune --yes"
            )
        ]
        await trio.sleep(4000)
        assert await number(runtime) == 0
        told = await runtime.jobs.prune(dry_run=True)
        assert told.held is None


async def test_a_person_who_prunes_is_refused_during_a_hold_and_ends_it_by_saying_yes(autojump_clock, machine):
    async with machine.open() as runtime:
        await ended(runtime, 3)
        machine.clock.move(91 * DAY)
        with pytest.raises(Refused, match=r"nothing was removed: the wall clock went forward.*prune --yes") as refused:
            await runtime.jobs.prune()
        assert refused.value.kind is RefusalKind.CONFLICT
        told = await runtime.jobs.prune(dry_run=True, yes=True)
        assert told.jobs == 3
        assert "went forward by 91 days" in told.held
        assert await number(runtime) == 3
        assert (await runtime.jobs.prune(yes=True)).jobs == 3
        assert (await runtime.jobs.prune(dry_run=True)).held is None
        assert (await runtime.queue.view()).pruning_held is None


async def test_a_dry_run_says_that_the_pass_would_be_held(autojump_clock, machine):
    async with machine.open(retention=Retention(1)) as runtime:
        for _ in range(11):
            await ended(runtime, 10)
        machine.clock.suspend(2 * DAY)
        told = await runtime.jobs.prune(dry_run=True)
        assert (told.jobs, told.held.split(";")[0]) == (110, "110 of 110 jobs would be removed in one pass")
        assert (await runtime.jobs.prune(yes=True)).jobs == 110


async def test_a_hold_is_shown_by_queue_and_health_and_is_a_fault_only_where_it_keeps_something(
    autojump_clock, machine
):
    async with machine.open() as runtime:
        await trio.sleep(100)
        assert (await runtime.health.check()).notes == ()
        machine.clock.move(91 * DAY)
        await trio.sleep(10)
        health = await runtime.health.check()
        assert health.status == "ok"
        assert "ends after 24.0 h more of running" in health.notes[0]
        assert "went forward by 91 days" in (await runtime.queue.view()).pruning_held
        machine.clock.move(-91 * DAY)
        await ended(runtime, 1)
        machine.clock.move(91 * DAY)
        await trio.sleep(400)
        health = await runtime.health.check()
        assert health.status == "degraded"
        assert "nothing is removed by its age" in health.reasons[0]


@pytest.mark.parametrize("restart", [False, True])
async def test_an_idempotency_key_is_not_forgotten_on_the_word_of_a_clock_that_leapt(autojump_clock, machine, restart):
    wanted = request(duration=1, idempotency_key="once")
    async with machine.open() as runtime:
        (first,) = await runtime.jobs.submit_many([wanted])
        machine.clock.move(91 * DAY)
        (again,) = await runtime.jobs.submit_many([wanted])
        assert again.job.job_id == first.job.job_id
        await trio.sleep(4000)
        if not restart:
            (again,) = await runtime.jobs.submit_many([wanted])
    if restart:
        async with machine.open() as runtime:
            (again,) = await runtime.jobs.submit_many([wanted])
    assert again.job.job_id == first.job.job_id


async def test_the_hold_begins_in_the_transaction_that_first_sees_the_leap(autojump_clock, machine):
    """A key that is used in the very first transaction after the leap is already held."""
    async with machine.open() as runtime:
        wanted = request(duration=1, idempotency_key="once")
        (first,) = await runtime.jobs.submit_many([wanted])
        await runtime.wait(first.job.job_id)
        await trio.sleep(0.5)
        machine.clock.move(91 * DAY)
        (again,) = await runtime.jobs.submit_many([wanted])
        assert not again.created


async def test_a_pass_that_was_under_way_when_the_clock_leapt_removes_no_key(autojump_clock, machine):
    """It had found no hold; the one that the leap begins stands in the transaction of the removal itself."""
    async with machine.open() as runtime:
        wanted = request(duration=1, idempotency_key="once")
        (first,) = await runtime.jobs.submit_many([wanted])
        await runtime.wait(first.job.job_id)
        machine.clock.move(8 * DAY)
        assert await runtime.ledger.write(drop_keys, 1000) == 0
        (again,) = await runtime.jobs.submit_many([wanted])
        assert again.job.job_id == first.job.job_id
