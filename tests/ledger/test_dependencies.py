"""Jobs that wait for others: what an end means to them, and when they are eligible (E3)."""

from __future__ import annotations

from datetime import timedelta

import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalStatus, JobStatus
from actors.ledger import due
from actors.providers.scripted import Fault, FaultKind, ScriptedOptions
from tests.ledger.dependencies import FREE, named, statuses, submitted


async def test_it_starts_when_all_that_it_waits_for_is_completed_and_not_before(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        quick, slow, last = await submitted(
            runtime, named("quick", duration=10), named("slow", duration=60), named("last", "quick", "slow", duration=1)
        )
        await trio.sleep(30)
        view = await runtime.jobs.get(last.job_id)
        assert view.entry.unfinished_parents == 1
        assert view.reason == "waits for slow (running)"
        assert view.position is None
        assert await statuses(runtime, quick, slow, last) == [JobStatus.COMPLETED, JobStatus.RUNNING, JobStatus.PENDING]
        assert (await runtime.wait(last.job_id)).status is JobStatus.COMPLETED
        ended = await runtime.jobs.row(slow.job_id)
        entry = (await runtime.jobs.get(last.job_id)).entry
        assert entry.started_at >= ended.completed_at
        assert entry.queued_at == entry.started_at  # it was eligible at once, and its age counts from then


async def test_the_reason_names_one_and_counts_the_others(autojump_clock, world):
    async with world.open(limits=Limits(total=1)) as runtime:
        *_, last = await submitted(
            runtime,
            *(named(f"train-{n}", duration=60) for n in (1, 2, 3)),
            named("eval", "train-1", "train-2", "train-3"),
        )
        await trio.sleep(1)
        assert (await runtime.jobs.get(last.job_id)).reason == "waits for train-1 (running) and 2 more"
        (shown,) = [view for view in (await runtime.queue.view()).waiting if view.job.job_id == last.job_id]
        assert shown.reason == "waits for train-1 (running) and 2 more"
        assert shown.position is None


async def test_a_bad_end_cancels_those_that_wait_for_a_good_one_and_so_on_down(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        a, b, c, d = await submitted(
            runtime,
            named("a", duration=5, result="failed"),
            named("b", "a"),
            named("c", "b"),
            named("d", "b", after_mode="ended", duration=1),
        )
        await runtime.wait(d.job_id)
        rows = [await runtime.jobs.row(one.job_id) for one in (b, c, d)]
        assert [row.status for row in rows] == [JobStatus.CANCELLED, JobStatus.CANCELLED, JobStatus.COMPLETED]
        assert [row.error_message for row in rows] == [
            "a, which it waits for, failed", "b, which it waits for, was cancelled", None,
        ]  # fmt: skip
        (end,) = [event for event in await world.events(b.job_id) if event.is_end]
        assert end.data["parent_id"] == a.job_id
        parents = (await runtime.jobs.get(c.job_id)).waits_for
        assert [(one.name, one.status, one.broke) for one in parents.jobs] == [("b", JobStatus.CANCELLED, True)]
        dependants = (await runtime.jobs.get(b.job_id)).dependants
        assert sorted(one.name for one in dependants.jobs) == ["c", "d"]
        assert dependants.number == 2


async def test_a_cancel_of_a_job_that_waits_or_runs_is_a_bad_end(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        runs, waits, first, second = await submitted(
            runtime,
            named("runs", duration=99),
            named("waits", "runs"),
            named("first", "waits"),
            named("second", "runs"),
        )
        await trio.sleep(1)
        await runtime.cancel(waits.job_id, by="ana")
        await trio.sleep(1)
        assert await statuses(runtime, first, second) == [JobStatus.CANCELLED, JobStatus.PENDING]
        await runtime.cancel(runs.job_id, by="ana")
        await trio.sleep(40)
        assert await statuses(runtime, runs, second) == [JobStatus.CANCELLED, JobStatus.CANCELLED]


async def test_a_rejection_and_an_expiry_are_bad_ends_too(autojump_clock, world):
    async with world.open(limits=FREE, approvals=ApprovalOptions(timeout_hours=1)) as runtime:
        rejected, expired, one, other = await submitted(
            runtime,
            named("rejected", requires_approval="?"),
            named("expired", requires_approval="?"),
            named("one", "rejected"),
            named("other", "expired"),
        )
        await runtime.reject(rejected.job_id, by="bo", reason="no")
        await trio.sleep(10)
        assert await statuses(runtime, one, other) == [JobStatus.CANCELLED, JobStatus.PENDING]
        await trio.sleep(3600)
        assert await statuses(runtime, expired, other) == [JobStatus.CANCELLED, JobStatus.CANCELLED]


async def test_approval_is_asked_at_submission_and_eligible_means_approved_too(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        _train, check = await submitted(
            runtime, named("train", duration=60), named("check", "train", requires_approval="please", duration=1)
        )
        view = await runtime.jobs.get(check.job_id)
        assert view.reason == "waits for an approval: please"
        assert view.approval.status is ApprovalStatus.PENDING
        await trio.sleep(100)
        assert (await runtime.jobs.get(check.job_id)).entry.unfinished_parents == 0
        assert await statuses(runtime, check) == [JobStatus.PENDING]
        before = world.clock.now()
        await runtime.approve(check.job_id, by="bo")
        assert (await runtime.wait(check.job_id)).status is JobStatus.COMPLETED
        assert (await runtime.jobs.get(check.job_id)).entry.queued_at == before


async def test_nobody_is_asked_any_more_whether_a_job_may_run_that_never_will(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        _train, check = await submitted(
            runtime, named("train", duration=5, result="failed"), named("check", "train", requires_approval="please")
        )
        await trio.sleep(60)
        approval = (await runtime.jobs.get(check.job_id)).approval
        assert approval.status is ApprovalStatus.CANCELLED
        assert approval.decision_reason == "train, which it waits for, failed"


async def test_another_attempt_is_no_end(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=1))
        _train, check = await submitted(runtime, named("train", duration=5), named("check", "train", duration=1))
        await trio.sleep(0.5)
        assert await statuses(runtime, check) == [JobStatus.PENDING]
        assert (await runtime.wait(check.job_id)).status is JobStatus.COMPLETED


async def test_what_waits_for_others_counts_as_waiting_and_not_as_ahead(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        await submitted(runtime, named("a"), named("b", "a"), named("c", "a", requires_approval="?"))
        (last,) = await submitted(runtime, named("d"))
        assert (await runtime.jobs.get(last.job_id)).position == 1
        waiting = (await runtime.queue.view()).waiting
        assert [(view.job.request.config_name, view.position) for view in waiting] == [
            ("a", 0), ("d", 1), ("b", None), ("c", None),
        ]  # fmt: skip


async def test_a_wide_fan_is_let_in_batches_and_each_is_started_once(autojump_clock, world):
    async with world.open(limits=Limits(total=5000, per_user=5000), options=ScriptedOptions(cpus=None)) as runtime:
        first, *fan = await submitted(
            runtime, named("first", duration=5), *(named(f"f{n}", "first") for n in range(620))
        )
        await runtime.wait(first.job_id)
        await runtime.wait(fan[-1].job_id)
        await trio.sleep(60)
        assert set(await statuses(runtime, *fan)) == {JobStatus.COMPLETED}
        assert len(world.remote.runs) == 621


async def test_relatives_are_listed_up_to_a_hundred_and_counted_exactly(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        first, *_, last = await submitted(
            runtime, named("first"), *(named(f"f{n}", "first") for n in range(150)),
            named("last", *(f"f{n}" for n in range(150))),
        )  # fmt: skip
        dependants = (await runtime.jobs.get(first.job_id)).dependants
        waits_for = (await runtime.jobs.get(last.job_id)).waits_for
        assert (len(dependants.jobs), dependants.number) == (100, 150)
        assert (len(waits_for.jobs), waits_for.number) == (100, 150)


async def test_an_end_that_was_not_followed_because_of_a_fault_is_followed_later(autojump_clock, world, monkeypatch):
    """The end is committed, and the scheduler fails before it has followed it: the work list is rows."""
    failures = iter(range(3))
    follow = due.follow_ends

    def fail_first(tx):
        follow(tx)
        if next(failures, None) is not None:
            raise RuntimeError("as if the process had died")

    monkeypatch.setattr(due, "follow_ends", fail_first)
    async with world.open(limits=FREE) as runtime:
        _first, second = await submitted(runtime, named("first", duration=1), named("second", "first"))
        assert (await runtime.wait(second.job_id)).status is JobStatus.COMPLETED
        assert next(failures, None) is None


async def test_a_back_off_never_changes_since_when_a_job_is_eligible(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        first, second = await submitted(runtime, named("first", duration=30), named("second", "first", duration=1))
        await runtime.wait(first.job_id)
        world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=1))
        await trio.sleep(1)
        eligible_at = (await runtime.jobs.get(second.job_id)).entry.queued_at
        await runtime.wait(second.job_id)
        entry = (await runtime.jobs.get(second.job_id)).entry
        assert entry.queued_at == eligible_at
        assert entry.started_at - entry.queued_at < timedelta(minutes=10)
