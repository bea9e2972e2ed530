"""The scheduler: what is chosen, when, how often, and what follows from each kind of refusal (B8 to B13)."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, Resources
from actors.jobs.refusal import Refused
from actors.providers.scripted import ScriptedOptions
from actors.providers.scripted.faults import Fault, FaultKind
from actors.scheduler import Scheduler
from tests.runs_at_once import most_at_once
from tests.runtime_fixtures import fail_writing_an_answer


async def test_a_job_is_dispatched_at_once_when_it_is_queued(autojump_clock, world):
    async with world.open():
        await trio.sleep(1.5)
        await world.submit(duration=5)
        await trio.sleep(0.1)
        assert [call.name for call in world.remote.calls if call.name == "submit"] == ["submit"]


async def test_a_freed_slot_is_filled_at_once(autojump_clock, world):
    async with world.open(limits=Limits(total=1)) as runtime:
        first = await world.submit(duration=7.3)
        second = await world.submit(duration=1)
        await runtime.wait(second.job_id)
        starts = [run.submitted_at for run in world.remote.runs]
        assert starts[1] - starts[0] == timedelta(seconds=7.3)
        assert (await runtime.jobs.get(first.job_id)).job.status is JobStatus.COMPLETED


async def test_answers_and_the_next_claim_share_a_transaction_and_cause_no_second_look(
    autojump_clock, world, monkeypatch
):
    """Ten jobs that end at once, two at a time: the start, then one transaction for each two of them."""
    async with world.open(limits=Limits(total=2, per_user=2)) as runtime:
        await trio.sleep(1.5)
        await runtime.queue.pause(None, "wait")
        for number in range(10):
            await world.submit(user_id=f"u{number}", duration=0)
        await trio.sleep(0.1)  # until nothing is looked at any more
        commits = []
        publish = runtime.ledger.store.publish
        monkeypatch.setattr(runtime.ledger.store, "publish", lambda events: (commits.append(events), publish(events)))
        claim, looks = runtime.ledger.claim, []

        async def counted(*args):
            looks.append(None)
            return await claim(*args)

        monkeypatch.setattr(runtime.ledger, "claim", counted)
        await runtime.queue.resume(None)
        await trio.sleep(1)
        types = [[event.type for event in events] for events in commits]
        ends = ["job_handed_over", "job_status_changed"]
        assert types[0] == ["queue_resumed"]
        assert types[2:] == [[*ends, *ends, "job_dispatched", "job_dispatched"]] * 4 + [[*ends, *ends]]
        assert len(looks) == 6


async def test_an_answer_that_could_not_be_written_is_recorded_by_the_next_look(autojump_clock, world, monkeypatch):
    """Neither is the job submitted twice nor its provider asked about it: the scheduler still has the answer."""
    async with world.open() as runtime:
        await trio.sleep(0.5)
        fail_writing_an_answer(monkeypatch, runtime)
        job = await world.submit(duration=1)
        with trio.fail_after(60):
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert [call.name for call in world.remote.calls if call.name in ("submit", "find")] == ["submit"]
        assert "job_outcome_unknown" not in [event.type for event in await world.events(job.job_id)]


async def test_claims_that_nobody_hands_over_are_looked_for_at_the_start_alone(autojump_clock, world, monkeypatch):
    """A look is one transaction; the scheduler knows what it hands over itself."""
    async with world.open() as runtime:
        real, searches = runtime.ledger.mark_orphans, []

        async def counted(in_flight):
            searches.append(in_flight)
            await real(in_flight)

        monkeypatch.setattr(runtime.ledger, "mark_orphans", counted)
        await runtime.tree.restart("scheduler")
        job = await world.submit(duration=1)
        await runtime.wait(job.job_id)
        await trio.sleep(30)
        assert len(searches) == 1


async def test_a_stop_records_the_answers_of_calls_that_were_under_way(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=3))
    async with world.open() as runtime:
        job = await world.submit(duration=100)
        await trio.sleep(0.5)
        began = trio.current_time()
        await runtime.quiesce()
        assert trio.current_time() - began == pytest.approx(2.5)
        types = [event.type for event in await world.events(job.job_id)]
        assert types == ["job_queued", "job_dispatched", "job_handed_over", "job_status_changed"]


async def test_a_scheduler_that_claims_no_more_does_not_keep_the_event_loop_busy(autojump_clock, world, monkeypatch):
    """While the rest of the runtime stops, a look that was due is not made, and not tried again and again."""
    looks, real = [], Scheduler.tick

    async def counted(self, causes):
        looks.append(trio.current_time())
        if len(looks) > 100:
            await trio.sleep(1)  # without this the mock clock would never go on
        await real(self, causes)

    monkeypatch.setattr(Scheduler, "tick", counted)
    async with world.open() as runtime:
        await world.submit(duration=1, start_after="+2s")
        await trio.sleep(1)
        await runtime.quiesce()
        looks.clear()
        await trio.sleep(3)
        assert len(looks) == 1


async def test_the_queue_is_looked_at_every_five_seconds_whatever_happens(autojump_clock, world, caplog):
    """The sweep is the net under lost wakes."""
    caplog.set_level(logging.DEBUG, "actors.scheduler")
    async with world.open():
        await trio.sleep(20.1)
    looks = [record for record in caplog.records if record.message == "No pending jobs in queue"]
    assert len(looks) == 5  # at 0, 5, 10, 15 and 20 s


async def test_higher_priority_goes_first_then_the_older_one(autojump_clock, world):
    async with world.open(limits=Limits(total=1)) as runtime:
        await world.submit(duration=10, user_id="busy")
        await trio.sleep(1)
        order = [
            await world.submit(user_id="a", duration=1),
            await world.submit(user_id="b", duration=1, user_levels=("admin",)),
            await world.submit(user_id="c", duration=1),
            await world.submit(user_id="d", duration=1, priority_override=50),
        ]
        for job in order:
            await runtime.wait(job.job_id)
        ran = [run.asked.user_id for run in world.remote.runs]
        assert ran == ["busy", "d", "b", "a", "c"]


async def test_a_capped_users_backlog_hides_nobody(autojump_clock, world):
    async with world.open(limits=Limits(total=5, per_user=2)):
        for _ in range(60):
            await world.submit(user_id="ana", duration=1000)
        late = await world.submit(user_id="bo", duration=1000)
        await trio.sleep(0.1)
        assert {run.context["job_id"] for run in world.remote.runs} >= {late.job_id}
        assert most_at_once(world.remote, lambda run: run.asked.user_id) == {"ana": 2, "bo": 1}


async def test_limits_hold_as_the_provider_sees_them(autojump_clock, world):
    async with world.open(limits=Limits(total=4, per_user=2, per_organisation=3)) as runtime:
        jobs = [
            await world.submit(user_id=f"u{number % 4}", org_id=f"o{number % 2}", duration=3 + number % 5)
            for number in range(40)
        ]
        for job in jobs:
            await runtime.wait(job.job_id)
        assert most_at_once(world.remote) == {None: 4}
        assert max(most_at_once(world.remote, lambda run: run.asked.user_id).values()) <= 2
        assert max(most_at_once(world.remote, lambda run: run.asked.org_id).values()) <= 3
        assert len(world.remote.runs) == 40


async def test_a_changed_limit_holds_at_once_and_is_kept(autojump_clock, world):
    async with world.open(limits=Limits(total=1)) as runtime:
        for user in ("a", "b", "c"):
            await world.submit(user_id=user, duration=1000)
        await trio.sleep(0.1)
        assert len(world.remote.runs) == 1
        await runtime.queue.set_limit("total", 3)
        await trio.sleep(0.1)
        assert len(world.remote.runs) == 3
        assert (await runtime.queue.limits()) == (Limits(total=3), {"total": "stored"})
        assert await runtime.queue.reset_limits() == Limits(total=1)


async def test_a_limit_that_is_none_is_refused_with_a_guess(autojump_clock, world):
    async with world.open() as runtime:
        with pytest.raises(Refused, match="did you mean per_user"):
            await runtime.queue.set_limit("per_users", 3)
        with pytest.raises(Refused, match="must be 0 or more"):
            await runtime.queue.set_limit("total", -1)


async def test_capacity_is_waited_for_and_what_never_fits_is_refused(autojump_clock, world):
    async with world.open(options=ScriptedOptions(gpus=2)) as runtime:
        with pytest.raises(Refused, match="has 2 GPUs in all, the job needs 3 GPUs"):
            await world.submit(resources=Resources(gpus=3))
        await world.submit(resources=Resources(gpus=1), duration=50, user_id="a")
        big = await world.submit(resources=Resources(gpus=2), duration=5, user_id="b")
        small = await world.submit(resources=Resources(gpus=1), duration=5, user_id="c")
        await runtime.wait(small.job_id)
        view = await runtime.jobs.get(big.job_id)
        assert view.reason == "waiting for 2 GPUs, 1 free"
        assert view.entry.attempt == 0
        await runtime.wait(big.job_id)
        assert most_at_once(world.remote, weigh=lambda run: run.asked.resources.gpus) == {None: 2}


async def test_an_entry_short_of_resources_for_ten_minutes_reserves_them(autojump_clock, world):
    async with world.open(options=ScriptedOptions(gpus=2), limits=Limits(total=50, per_user=50)) as runtime:
        await world.submit(resources=Resources(gpus=1), duration=300, user_id="a")
        big = await world.submit(resources=Resources(gpus=2), duration=1, user_id="b")
        for _ in range(40):  # a stream of small ones would starve the big one for ever
            await world.submit(resources=Resources(gpus=1), duration=300, user_id="c")
        done = await runtime.wait(big.job_id)
        assert done.started_at - big.created_at <= timedelta(minutes=16)


async def test_the_start_is_told_once(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open():
        await trio.sleep(60)
    assert [record.levelname for record in caplog.records if record.message == "Queue scheduler started"] == ["INFO"]


async def test_an_override_stands_in_the_order_until_the_job_runs(autojump_clock, world):
    async with world.open(limits=Limits(total=1)) as runtime:
        running = await world.submit(duration=10)
        waiting = [await world.submit(user_id=user, duration=1) for user in ("a", "b")]
        await runtime.jobs.prioritise(waiting[1].job_id, 45)
        assert [view.job.request.user_id for view in (await runtime.queue.view()).waiting] == ["b", "a"]
        with pytest.raises(Refused, match="from 0 to 50"):
            await runtime.jobs.prioritise(waiting[0].job_id, 51)
        with pytest.raises(Refused, match="no longer waits"):
            await runtime.jobs.prioritise(running.job_id, 5)
        for job in waiting:
            await runtime.wait(job.job_id)
        assert [run.asked.user_id for run in world.remote.runs] == ["ana", "b", "a"]


async def test_everybody_who_waits_is_told_why_and_where(autojump_clock, world):
    """Not "position 0" for the thirtieth."""
    async with world.open(limits=Limits(total=3, per_user=1)) as runtime:
        for number in range(31):
            await world.submit(user_id="ana" if number % 2 else "bo", duration=1000)
        await trio.sleep(0.1)
        queue = await runtime.queue.view()
        assert [view.position for view in queue.waiting] == list(range(29))
        assert queue.waiting[-1].reason == "1 of 1 jobs of user ana run" or "bo" in queue.waiting[-1].reason
        assert queue.waiting[-1].setting == "limits.per_user"
        assert queue.summary == "All pending jobs blocked by per-user concurrency limits"
