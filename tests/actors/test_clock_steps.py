"""A relative wait lasts as long as it is, whatever the wall clock does, and over a restart no longer (B12)."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits, PollerOptions, QueueOptions
from actors.jobs.records import JobStatus, QueueStatus, Resources
from actors.kernel import VirtualClock
from actors.providers.base import Listing, Push
from actors.providers.breaker import BreakerOptions
from actors.providers.scripted import Fault, FaultKind, Refusal, ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.settings import ProviderSettings
from actors.store import InlineExecutor, holds
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)

STEPS = {
    "put back by 3 h": [(1, -3 * HOUR)],
    "put back by a year": [(1, -YEAR)],
    "put forward by 3 h": [(1, 3 * HOUR)],
    "put forward by a year": [(1, YEAR)],
    "by less than a minute, again and again": [(1, timedelta(seconds=-9))] * 3 + [(1, timedelta(seconds=7))],
    "forward and back": [(1, 3 * HOUR), (2, -3 * HOUR), (1, -HOUR)],
}


@attrs.define
class Machine:
    """A machine whose wall clock is wrong at times, and a provider that has its own time."""

    clock: VirtualClock
    remote: ScriptedRemote
    directory: object

    def open(self, *, options=None, breaker=None, **settings):
        """A runtime; the next one finds its rows."""
        made = attrs.evolve(virtual_settings(**settings), state_dir=self.directory)
        if breaker is not None:
            one = ProviderSettings("scripted", "scripted", ScriptedOptions(), None, circuit_breaker=breaker)
            made = attrs.evolve(made, providers={"scripted": one})
        provider = ScriptedProvider(options or ScriptedOptions(), self.remote)
        sources = seeded_sources(1)
        parts = Parts(clock=self.clock, executor=InlineExecutor(), sources=sources, providers=[provider])
        return running_runtime(settings=made, parts=parts)

    def submitted(self):
        """Seconds of the provider's time at which a submission was tried."""
        return [(call.at - self.born).total_seconds() for call in self.remote.calls_of("submit")]

    @property
    def born(self):
        return VirtualClock()._start


@pytest.fixture
async def machine(autojump_clock, tmp_path) -> Machine:
    true = VirtualClock()
    return Machine(VirtualClock(), ScriptedRemote(true.now), tmp_path)


def refused(refusal, **fields):
    return Fault(FaultKind.REFUSED, calls=("submit",), refusal=refusal, **fields)


FAILURES = {
    "Retry-After": (refused(Refusal.RATE_LIMITED, retry_after=40), 40, 40),
    "back-off": (refused(Refusal.OTHER), 5, 10),
    "cannot be reached": (Fault(FaultKind.DOWN, calls=("submit",), times=1), 0.5, 1),
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize(("fault", "least", "most"), FAILURES.values(), ids=FAILURES)
async def test_a_wait_is_as_long_as_it_is_however_the_clock_is_stepped_meanwhile(
    autojump_clock, machine, fault, least, most, steps
):
    machine.remote.inject(fault)
    async with machine.open() as runtime:
        job = await runtime.submit(request(duration=1))
        for seconds, by in steps:
            await trio.sleep(min(seconds, least / 8))
            machine.clock.move(by)
        await trio.sleep(most + 6)
        first, second = machine.submitted()
        assert least <= second - first <= most + 0.5
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
async def test_a_breaker_leaves_a_provider_alone_for_as_long_as_it_says(autojump_clock, machine, steps):
    machine.remote.inject(Fault(FaultKind.DOWN, calls=("submit",), times=2))
    async with machine.open(breaker=BreakerOptions(failures=2, open_seconds=60)) as runtime:
        jobs = [await runtime.submit(request(duration=1, user_id=f"u{number}")) for number in range(2)]
        await trio.sleep(0.1)
        for seconds, by in steps:
            await trio.sleep(seconds)
            machine.clock.move(by)
        await trio.sleep(70)
        opened, tried = machine.submitted()[1], machine.submitted()[2]
        assert 60 <= tried - opened <= 62
        for job in jobs:
            await runtime.wait(job.job_id)


@pytest.mark.parametrize("by", [-YEAR, -3 * HOUR, timedelta(), timedelta(seconds=20)])
async def test_after_a_restart_a_wait_lasts_at_most_its_own_length(autojump_clock, machine, by):
    """Nobody knows how long the machine was off: by the wall clock 20 s may be over, a year to come cannot be."""
    machine.remote.inject(refused(Refusal.RATE_LIMITED, retry_after=40))
    async with machine.open() as runtime:
        job = await runtime.submit(request(duration=1))
        await trio.sleep(1)
    machine.clock.move(by)
    restarted = trio.current_time()
    async with machine.open() as runtime:
        await trio.sleep(46)
        _, second = machine.submitted()
        assert 18 <= second - restarted <= 40.5
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_the_clock_was_three_hours_ahead_when_the_wait_began_and_is_put_right(autojump_clock, machine):
    """The case of the shared folder: closed for 40 s, not for 3 h, and said so in the right time of day."""
    machine.clock.move(3 * HOUR)
    machine.remote.inject(refused(Refusal.RATE_LIMITED, retry_after=40))
    async with machine.open() as runtime:
        job = await runtime.submit(request(duration=1))
        await trio.sleep(1)
        machine.clock.move(-3 * HOUR)
        await trio.sleep(5)
        view = await runtime.jobs.get(job.job_id)
        left = (view.entry.not_before - machine.clock.now()).total_seconds()
        assert 33 <= left <= 35
        assert f"next try at {view.entry.not_before:%H:%M:%S} UTC" in view.reason
        assert list((await runtime.queue.view()).closed_providers) == ["scripted"]
        await trio.sleep(40)
        assert (await runtime.queue.view()).closed_providers == {}


@pytest.mark.parametrize("by", [-YEAR, -3 * HOUR, 3 * HOUR])
async def test_resources_are_kept_for_a_wide_job_after_ten_minutes_of_waiting(autojump_clock, machine, by):
    """How long an entry was passed over for resources is a wait, too: neither at once nor 3 h later."""
    options = ScriptedOptions(cpus=2)
    async with machine.open(options=options, limits=Limits(per_user=10)) as runtime:
        await runtime.submit(request(duration=60))
        await trio.sleep(1)
        wide = await runtime.submit(request(duration=1, resources=Resources(cpus=2)))
        began = trio.current_time()
        await trio.sleep(1)
        machine.clock.move(by)
        while (await runtime.jobs.get(wide.job_id)).entry.status is QueueStatus.PENDING:
            assert trio.current_time() - began < 1200
            await runtime.submit(request(duration=60))  # one of them always runs: without keeping, it never fits
            await trio.sleep(30)
        took = trio.current_time() - began
        after = QueueOptions().reserve_after
        assert after <= took <= after + 100


async def test_whoever_came_before_the_clock_was_put_back_stays_before_those_who_come_after(autojump_clock, machine):
    async with machine.open(limits=Limits(total=1)) as runtime:
        await runtime.queue.pause("scripted", "for a while")
        before = [await runtime.submit(request(duration=1)) for _ in range(3)]
        machine.clock.move(-3 * HOUR)
        after = [await runtime.submit(request(duration=1)) for _ in range(3)]
        await runtime.queue.resume("scripted")
        for job in (*before, *after):
            await runtime.wait(job.job_id)
        order = [run.context["job_id"] for run in machine.remote.runs]
        assert order == [job.job_id for job in (*before, *after)]


@pytest.mark.parametrize("by", [-YEAR, -3 * HOUR, timedelta(minutes=30)])
async def test_an_idempotency_key_binds_for_a_day_however_the_clock_is_stepped(autojump_clock, machine, by):
    async with machine.open() as runtime:
        (first,) = await runtime.jobs.submit_many([request(duration=1, idempotency_key="k")])
        machine.clock.move(by)
        (again,) = await runtime.jobs.submit_many([request(duration=1, idempotency_key="k")])
        assert again.job.job_id == first.job.job_id
        machine.clock.suspend(timedelta(hours=24, minutes=1))
        (later,) = await runtime.jobs.submit_many([request(duration=1, idempotency_key="k")])
        assert later.created


@pytest.mark.parametrize("by", [-YEAR, -3 * HOUR, timedelta()])
async def test_the_safety_net_asks_about_a_silent_job_in_its_own_time(autojump_clock, machine, by):
    options = ScriptedOptions(push=Push.WEBHOOK, listing=Listing.NONE)
    poller = PollerOptions(enabled=False, interval_seconds=15, safety_net_seconds=300)
    async with machine.open(options=options, poller=poller) as runtime:
        await runtime.submit(request(duration=3000))
        await trio.sleep(60)
        machine.clock.move(by)
        await trio.sleep(270)
        assert len(machine.remote.calls_of("observe")) >= 1


async def test_uptime_is_what_ran_and_never_negative(autojump_clock, machine):
    async with machine.open() as runtime:
        await trio.sleep(100)
        machine.clock.move(-3 * HOUR)
        lines = (await runtime.metrics.scrape()).decode().splitlines()
        (uptime,) = [float(line.split()[1]) for line in lines if line.startswith("simpletuner_uptime_seconds")]
        assert 100 <= uptime < 101


async def test_a_leap_forward_expires_no_approval_for_ten_minutes_and_then_all_that_are_due(autojump_clock, machine):
    async with machine.open(approvals=ApprovalOptions(timeout_hours=24)) as runtime:
        job = await runtime.submit(request(duration=1, requires_approval="big"))
        await trio.sleep(10)
        machine.clock.move(25 * HOUR)
        await trio.sleep(599)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.PENDING
        await trio.sleep(60)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.CANCELLED


async def test_each_leap_has_its_ten_minutes_from_the_moment_at_which_it_is_noticed(autojump_clock, machine):
    """Here at the next submission; another leap after that time is as suspicious as the first one."""
    async with machine.open(approvals=ApprovalOptions(timeout_hours=24)) as runtime:
        for _ in range(2):
            job = await runtime.submit(request(duration=1, requires_approval="big"))
            await trio.sleep(10)
            machine.clock.move(25 * HOUR)
            await runtime.submit(request(duration=1))
            await trio.sleep(599.5)
            assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.PENDING
            await trio.sleep(1)
            assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.CANCELLED


@pytest.mark.parametrize("back", [timedelta(), timedelta(minutes=2), timedelta(minutes=30)])
@pytest.mark.parametrize("held", [False, True])
async def test_after_a_restart_the_ten_minutes_after_a_leap_are_as_long_as_without(autojump_clock, machine, held, back):
    """Also if the clock was put back a little since, and if another hold was on before the leap."""
    options = ApprovalOptions(timeout_hours=24)
    async with machine.open(approvals=options) as runtime:
        job = await runtime.submit(request(duration=1, requires_approval="big"))
        if held:
            await runtime.ledger.write(lambda tx: holds.begin(tx.connection, "as before", tx.now))
        await trio.sleep(10)
        machine.clock.move(25 * HOUR)
        await trio.sleep(60)
        machine.clock.move(-back)
        await trio.sleep(40)
    async with machine.open(approvals=options) as runtime:
        await trio.sleep(495)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.PENDING
        await trio.sleep(10)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.CANCELLED


async def test_a_leap_that_is_put_right_within_ten_minutes_expires_nothing(autojump_clock, machine):
    async with machine.open(approvals=ApprovalOptions(timeout_hours=24)) as runtime:
        job = await runtime.submit(request(duration=1, requires_approval="big"))
        machine.clock.move(91 * 24 * HOUR)
        await trio.sleep(500)
        machine.clock.move(-91 * 24 * HOUR)
        await trio.sleep(3600)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.PENDING


async def test_a_clock_that_leaps_again_and_again_does_not_keep_approvals_open_for_ever(autojump_clock, machine):
    async with machine.open(approvals=ApprovalOptions(timeout_hours=24)) as runtime:
        job = await runtime.submit(request(duration=1, requires_approval="big"))
        for _ in range(8):
            machine.clock.move(25 * HOUR)
            await trio.sleep(300)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.CANCELLED


async def test_a_leap_is_written_down_also_while_the_pruners_mailbox_is_full(autojump_clock, machine):
    """The transaction that sees the leap wakes the pruner, and must not fail for it: its request would."""
    async with machine.open() as runtime:
        pruner = runtime.registry.whereis("pruner")
        pruner.suspend()
        for number in range(200):
            pruner.cast(number)
        machine.clock.move(YEAR)
        job = await runtime.submit(request(duration=1))
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        pruner.resume()
