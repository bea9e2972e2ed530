"""The scheduler: what is chosen, when, how often, and what follows from each kind of refusal (B8 to B13)."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, QueueStatus, Resources
from actors.jobs.refusal import Refused
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind, Refusal
from actors.store import StoreUnavailable
from actors.testing import request


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
        store = runtime.ledger.store
        write = store.write_together

        async def unable(closures):
            if len(closures) > 1:  # an answer and a look
                monkeypatch.setattr(store, "write_together", write)
                raise StoreUnavailable("the disk is full")
            return await write(closures)

        monkeypatch.setattr(store, "write_together", unable)
        job = await world.submit(duration=1)
        with trio.fail_after(60):
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert [call.name for call in world.remote.calls if call.name in ("submit", "find")] == ["submit"]
        assert "job_outcome_unknown" not in [event.type for event in await world.events(job.job_id)]


async def test_a_stop_records_the_answers_of_calls_that_were_under_way(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.SLOW, ("submit",), seconds=3))
    async with world.open() as runtime:
        job = await world.submit(duration=100)
        await trio.sleep(0.5)
        await runtime.quiesce()
        types = [event.type for event in await world.events(job.job_id)]
        assert types == ["job_queued", "job_dispatched", "job_handed_over", "job_status_changed"]


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
        assert world.remote.most_at_once(lambda run: run.asked.user_id) == {"ana": 2, "bo": 1}


async def test_limits_hold_as_the_provider_sees_them(autojump_clock, world):
    async with world.open(limits=Limits(total=4, per_user=2, per_organisation=3)) as runtime:
        jobs = [
            await world.submit(user_id=f"u{number % 4}", org_id=f"o{number % 2}", duration=3 + number % 5)
            for number in range(40)
        ]
        for job in jobs:
            await runtime.wait(job.job_id)
        assert world.remote.most_at_once() == {None: 4}
        assert max(world.remote.most_at_once(lambda run: run.asked.user_id).values()) <= 2
        assert max(world.remote.most_at_once(lambda run: run.asked.org_id).values()) <= 3
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
        assert world.remote.most_at_once(weigh=lambda run: run.asked.resources.gpus) == {None: 2}


async def test_an_entry_short_of_resources_for_ten_minutes_reserves_them(autojump_clock, world):
    async with world.open(options=ScriptedOptions(gpus=2), limits=Limits(total=50, per_user=50)) as runtime:
        await world.submit(resources=Resources(gpus=1), duration=300, user_id="a")
        big = await world.submit(resources=Resources(gpus=2), duration=1, user_id="b")
        for _ in range(40):  # a stream of small ones would starve the big one for ever
            await world.submit(resources=Resources(gpus=1), duration=300, user_id="c")
        done = await runtime.wait(big.job_id)
        assert done.started_at - big.created_at <= timedelta(minutes=16)


def refused(refusal, **fields):
    return Fault(FaultKind.REFUSED, ("submit",), refusal=refusal, **fields)


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (refused(Refusal.INVALID, times=None), JobStatus.FAILED, "refused as scripted"),
        (refused(Refusal.CONFLICT, times=None), JobStatus.FAILED, "refused as scripted"),
        (refused(Refusal.CONFLICT, times=2), JobStatus.COMPLETED, None),
        (refused(Refusal.RATE_LIMITED, times=20), JobStatus.COMPLETED, None),
        (Fault(FaultKind.DOWN, ("submit",), times=20), JobStatus.COMPLETED, None),
        (Fault(FaultKind.LOST_ANSWER, ("submit",), times=3), JobStatus.COMPLETED, None),
        (Fault(FaultKind.LOST_ANSWER, ("submit",), times=3, accepted=False), JobStatus.COMPLETED, None),
        (Fault(FaultKind.HANG, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.GARBAGE, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.CRASH, ("submit",), times=2), JobStatus.COMPLETED, None),
        (Fault(FaultKind.CRASH, ("submit",), times=None, accepted=False), JobStatus.FAILED, "a bug in"),
        (Fault(FaultKind.SLOW, ("submit",), times=None, seconds=30), JobStatus.COMPLETED, None),
    ],
    ids=lambda value: f"{value.kind}-{value.refusal}-{value.times}" if isinstance(value, Fault) else None,
)  # fmt: skip
async def test_what_follows_from_a_failed_hand_over(autojump_clock, world, fault, status, message):
    """By its kind: failed at once, tried again, waited for; and never run twice."""
    world.remote.inject(fault)
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        ended = await runtime.wait(job.job_id)
        assert ended.status is status
        assert message is None or message in ended.error_message
        assert len(world.remote.runs) <= 1
        entry = (await runtime.jobs.get(job.job_id)).entry
        assert entry.status is (QueueStatus.COMPLETED if status is JobStatus.COMPLETED else QueueStatus.FAILED)


async def test_three_attempts_take_their_time(autojump_clock, world):
    """Not three attempts in 17 ms and then failed."""
    world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=None))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        ended = await runtime.wait(job.job_id)
        calls = world.remote.calls_of("submit")
        assert len(calls) == 3
        assert calls[-1].at - calls[0].at >= timedelta(seconds=10)
        assert ended.error_message == "refused as scripted (other)"


async def test_a_wrong_token_pauses_the_provider_and_fails_nothing(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    world.remote.inject(refused(Refusal.AUTH, times=1))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        await trio.sleep(3600)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.queue_status, view.entry.attempt) == ("pending", "pending", 0)
        assert "paused" in view.reason
        assert view.setting == "greenroom queue resume scripted"
        assert len(world.remote.calls_of("submit")) == 1
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert warnings[0].provider == "scripted"
        await runtime.queue.resume("scripted")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_retry_after_is_kept_to_the_second(autojump_clock, world):
    world.remote.inject(refused(Refusal.RATE_LIMITED, retry_after=77))
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        await runtime.wait(job.job_id)
        first, second = world.remote.calls_of("submit")
        assert timedelta(seconds=77) <= second.at - first.at < timedelta(seconds=78)


async def test_a_provider_down_for_two_hours_empties_no_queue_into_failed(autojump_clock, world):
    """200 jobs wait it out and run afterwards, in order."""
    world.remote.inject(Fault(FaultKind.DOWN, times=None, until=7200))
    async with world.open(limits=Limits(total=1, per_user=200)) as runtime:
        jobs = [await world.submit(duration=1) for _ in range(200)]
        await trio.sleep(7100)
        assert world.remote.runs == []
        assert (await runtime.queue.view()).counts == {"pending": 200}
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert [run.context["job_id"] for run in world.remote.runs] == [job.job_id for job in jobs]
        asked = len([call for call in world.remote.calls_of("submit") if call.fault])
        assert asked < 300  # the whole provider backs off, not each job for itself


async def test_a_provider_that_hangs_delays_nobody_elses_jobs(autojump_clock, world):
    other = ScriptedRemote(world.clock.now)
    world.remote.inject(Fault(FaultKind.HANG, ("submit",), times=None))
    async with world.open(
        others=[ScriptedProvider(ScriptedOptions(), other, "other")], limits=Limits(total=20, per_user=20)
    ) as runtime:
        for _ in range(8):
            await world.submit(duration=5)
        await trio.sleep(0.5)
        quick = await runtime.submit(request("other", duration=5))
        done = await runtime.wait(quick.job_id)
        assert done.completed_at - quick.created_at == timedelta(seconds=5)


async def test_a_queue_that_cannot_be_read_fails_the_scheduler_alone(autojump_clock, world, caplog, monkeypatch):
    """Its first look fails: ERROR with traceback, restarted with back-off; poller and expiry are untouched."""
    caplog.set_level(logging.INFO)
    async with world.open() as runtime:
        await trio.sleep(1)
        real = runtime.ledger.claim
        faults = iter([RuntimeError("no such table"), RuntimeError("no such table")])

        async def claim(*args):
            for fault in faults:
                raise fault
            return await real(*args)

        monkeypatch.setattr(runtime.ledger, "claim", claim)
        await runtime.tree.restart("scheduler")
        await trio.sleep(30)
        errors = [record for record in caplog.records if record.message == "Failed to start queue processing"]
        assert len(errors) == 2
        assert all(record.exc_info for record in errors)
        actors = next(node for node in runtime.tree.describe() if node["id"] == "actors")["children"]
        assert [node["incarnation"] for node in actors] == [4, 1, 1]
        job = await world.submit(duration=1)
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


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
