"""Approvals: asked for, granted, rejected, run out of time; decided once (B14 to B16, B19)."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import ApprovalOptions, ExpiryOptions
from actors.jobs.records import ApprovalRule, ApprovalStatus, JobStatus, QueueStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger import queries
from actors.ledger.approvals import approve, cancel, expire, prioritise, reject, withdraw
from actors.providers.scripted import Fault, FaultKind

HOURS = timedelta(hours=1)


async def asked(world, **fields):
    """Submit a job that needs an approval; the job and its open request."""
    assert world.runtime is not None
    job = await world.submit(requires_approval="big", duration=5, **fields)
    view = await world.runtime.jobs.get(job.job_id)
    return job, view.approval


async def test_a_job_that_needs_an_approval_waits_for_it_and_then_runs(autojump_clock, world):
    async with world.open() as runtime:
        job, approval = await asked(world)
        await trio.sleep(3600)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.queue_status) == (JobStatus.PENDING, QueueStatus.BLOCKED)
        assert view.setting == f"greenroom approve {approval.approval_id}"
        assert world.remote.calls_of("submit") == []
        granted = await runtime.approve(approval.approval_id, by="bo")
        assert (granted.status, granted.decided_by) == (ApprovalStatus.APPROVED, "bo")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
        assert [event.type for event in await world.events(job.job_id)][:3] == [
            "approval_requested", "approval_granted", "job_dispatched",
        ]  # fmt: skip


async def test_a_rejected_job_is_cancelled_and_its_entry_failed(autojump_clock, world):
    async with world.open() as runtime:
        job, approval = await asked(world)
        rejected = await runtime.reject(approval.approval_id, by="bo", reason="too dear")
        assert (rejected.approval_id, rejected.status) == (approval.approval_id, ApprovalStatus.REJECTED)
        assert (rejected.decided_by, rejected.decision_reason) == ("bo", "too dear")
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.status) == (JobStatus.CANCELLED, QueueStatus.FAILED)
        assert view.entry.error_message == "Rejected: too dear"
        with pytest.raises(Refused, match="already rejected"):
            await runtime.approve(approval.approval_id, by="bo")


async def test_a_request_expires_at_its_deadline_to_the_second(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open() as runtime:
        job, approval = await asked(world)
        assert approval.expires_at == job.created_at + timedelta(hours=24)
        world.clock.suspend(timedelta(hours=23, minutes=50))
        await trio.sleep(600 - 0.5)
        assert (await runtime.jobs.get(job.job_id)).queue_status is QueueStatus.BLOCKED
        await trio.sleep(1)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.status) == (JobStatus.CANCELLED, QueueStatus.FAILED)
        assert view.job.error_message == "Approval request expired after 24 hours"
        assert view.entry.error_message == "Approval request expired (auto-rejected after timeout)"
        assert view.approval.status is ApprovalStatus.EXPIRED
        assert view.job.completed_at - approval.expires_at < timedelta(seconds=1)
        told = (await world.events(job.job_id))[-1]
        assert told.as_message().items() >= {
            "type": "approval_expired", "job_id": job.job_id,
            "message": "Approval request expired and job was auto-rejected",
        }.items()  # fmt: skip
    lines = [record for record in caplog.records if "xpired" in record.message]
    assert [record.message for record in lines] == ["Approval request expired", "Expired 1 approval requests"]
    assert lines[0].job_id == job.job_id


async def test_the_real_time_out_is_told_and_every_request_is_found(autojump_clock, world, caplog):
    """However many there are: 120 at once, not the newest hundred."""
    caplog.set_level(logging.INFO)
    async with world.open(approvals=ApprovalOptions(timeout_hours=1.5)) as runtime:
        for _ in range(120):
            await asked(world)
        world.clock.suspend(timedelta(hours=1.5))
        await trio.sleep(31)
        requests = await runtime.approvals.page(limit=1000)
        assert {request.status for request in requests} == {ApprovalStatus.EXPIRED}
        assert len(requests) == 120
        view = (await runtime.jobs.page(limit=1))[0]
        assert view.job.error_message == "Approval request expired after 90 minutes"
    assert sum(record.message == "Approval request expired" for record in caplog.records) == 120


async def test_a_sweep_comes_every_five_minutes_and_does_nothing_twice(autojump_clock, world, monkeypatch):
    sweeps = []
    async with world.open(expiry=ExpiryOptions(interval_seconds=300)) as runtime:
        real = runtime.ledger.write

        async def write(verb, *args, **kwargs):
            if verb is expire:
                sweeps.append((trio.current_time(), *args))
            return await real(verb, *args, **kwargs)

        monkeypatch.setattr(runtime.ledger, "write", write)
        _, approval = await asked(world)
        world.clock.suspend(25 * HOURS)  # the machine sleeps past the deadline; the next look finds it
        await trio.sleep(301)
        assert [one for _, one in sweeps] == [approval.approval_id]
        await trio.sleep(3600)
        assert len(sweeps) == 1
        assert [event.type for event in await world.events()].count("approval_expired") == 1


async def test_what_ran_out_while_the_machine_slept_is_noticed_within_thirty_seconds(autojump_clock, world):
    async with world.open() as runtime:
        job, _ = await asked(world)
        await trio.sleep(100)
        world.clock.suspend(24 * HOURS)
        await trio.sleep(31)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.CANCELLED


async def test_an_approval_after_the_deadline_is_refused_as_expired_before_any_sweep(autojump_clock, world):
    async with world.open() as runtime:
        job, approval = await asked(world)
        world.clock.suspend(24 * HOURS)
        with pytest.raises(Refused, match="expired at"):
            await runtime.approve(approval.approval_id, by="bo")
        await trio.sleep(31)
        assert (await runtime.jobs.get(job.job_id)).job.error_message == "Approval request expired after 24 hours"


async def test_a_cancelled_job_takes_its_request_along(autojump_clock, world):
    async with world.open() as runtime:
        job, approval = await asked(world)
        await runtime.cancel(job.job_id)
        assert (await runtime.approvals.page())[0].status is ApprovalStatus.CANCELLED
        with pytest.raises(Refused, match="already cancelled"):
            await runtime.approve(approval.approval_id, by="bo")


async def test_an_approver_needs_the_level_that_the_rule_asks_for(autojump_clock, world):
    rule = ApprovalRule("Big", "cost_exceeds", 10.0, required_approver_level="admin", rule_id=1)
    async with world.open(approvals=ApprovalOptions(rules=(rule,))) as runtime:
        job = await world.submit(estimated_cost=11.0, duration=1)
        approval = (await runtime.jobs.get(job.job_id)).approval
        with pytest.raises(Refused, match="needs level admin, not lead"):
            await runtime.approve(approval.approval_id, by="bo", level="lead")
        await runtime.approve(approval.approval_id, by="bo", level="admin")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_the_default_rules_ask_when_they_are_switched_on(autojump_clock, world):
    async with world.open(approvals=ApprovalOptions(default_rules=True)) as runtime:
        first = await world.submit(duration=1)
        second = await world.submit(duration=1)
        dear = await world.submit(duration=1, estimated_cost=50.01)
        exempt = await world.submit(duration=1, estimated_cost=99.0, user_levels=("admin",), user_id="root")
        blocked = [
            (await runtime.jobs.get(job.job_id)).queue_status is QueueStatus.BLOCKED
            for job in (first, second, dear, exempt)
        ]
        assert blocked == [True, False, True, False]


async def test_a_request_can_be_named_by_its_job(autojump_clock, world):
    async with world.open() as runtime:
        job, _ = await asked(world)
        await runtime.approve(job.job_id, by="bo")
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_what_is_not_there_any_more_is_said_to_be_missing(autojump_clock, world):
    """As for a job that is removed between the question of which is meant and the change."""
    async with world.open() as runtime:
        deciding = {"by": "bo", "level": "admin"}
        for change in (
            runtime.ledger.write(approve, "gone", **deciding, self_approval=True),
            runtime.ledger.write(reject, "gone", **deciding, reason=""),
            runtime.ledger.write(withdraw, "gone", **deciding),
            runtime.ledger.read(queries.approval, "gone"),
        ):
            with pytest.raises(Refused, match=r"there is no approval request '?gone") as refused:
                await change
            assert refused.value.kind is RefusalKind.NOT_FOUND
        for change in (
            runtime.ledger.write(cancel, "gone", **deciding),
            runtime.ledger.write(prioritise, "gone", 5, by="bo"),
        ):
            with pytest.raises(Refused, match="there is no job gone") as refused:
                await change
            assert refused.value.kind is RefusalKind.NOT_FOUND
        assert await runtime.ledger.write(expire, "gone") is False


async def test_who_cancels_a_job_without_the_level_to_decide_closes_its_request_undecided(autojump_clock, world):
    """A person who may cancel a job does not decide for an admin; its owner and an admin withdraw it."""
    rule = ApprovalRule("Big", "cost_exceeds", 10.0, required_approver_level="admin", rule_id=1)
    async with world.open(approvals=ApprovalOptions(rules=(rule,))) as runtime:
        for by, level, decided in (
            ("bo", "lead", (None, "its job was cancelled by bo")),
            ("bo", "admin", ("bo", None)),
            ("ana", "researcher", ("ana", None)),
        ):
            job = await world.submit(estimated_cost=11.0)
            await runtime.ledger.write(cancel, job.job_id, by=by, level=level)
            approval = (await runtime.jobs.get(job.job_id)).approval
            assert approval.status is ApprovalStatus.CANCELLED
            assert (approval.decided_by, approval.decision_reason) == decided


async def test_who_changed_a_priority_and_who_asked_for_an_end_is_told_once(autojump_clock, world):
    async with world.open() as runtime:
        job, _ = await asked(world)
        for override in (0, 50, None):
            await runtime.ledger.write(prioritise, job.job_id, override, by="bo")
            assert (await runtime.jobs.get(job.job_id)).entry.priority_override == override
        for wrong in (-1, 51):
            with pytest.raises(Refused, match=f"must be from 0 to 50, not {wrong}") as refused:
                await runtime.ledger.write(prioritise, job.job_id, wrong, by="bo")
            assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "priority_override")
        running = await world.submit(duration=1_000)
        await trio.sleep(10)
        with pytest.raises(Refused, match=r"no longer waits \(running\); its priority decides nothing"):
            await runtime.ledger.write(prioritise, running.job_id, 5, by="bo")
        world.remote.inject(Fault(FaultKind.DOWN, ("cancel",), times=None))
        for by in ("bo", "cy"):
            asking = await runtime.ledger.write(cancel, running.job_id, by=by, level="admin")
            assert (asking.status, asking.cancel_requested_by) == (JobStatus.RUNNING, "bo")
        told = [(event.type, event.job_id, event.data) for event in await world.events()]
    priorities = [(one, data) for type_, one, data in told if type_ == "job_priority_changed"]
    assert [(one, data["priority_override"], data["by"]) for one, data in priorities] == [
        (job.job_id, override, "bo") for override in (0, 50, None)
    ]
    ends = [(one, data["by"]) for type_, one, data in told if type_ == "job_cancel_requested"]
    assert ends == [(running.job_id, "bo")]
