"""After a restore every job that had not ended is looked up: found, surely not there, or not to be known (F3)."""

from __future__ import annotations

import attrs
import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import Rerun, Restored
from actors.jobs.refusal import Refused
from actors.jobs.selections import Selection
from actors.providers.base import Idempotency
from actors.providers.scripted import ScriptedOptions, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request

NONE = ScriptedOptions(idempotency=Idempotency.NONE)
BY_TOKEN = ScriptedOptions(idempotency=Idempotency.TOKEN_SEARCH)
ONE = Limits(total=1, per_user=1)
LONG = 3_000


async def looked_up(runtime):
    """Until no job is to be looked up any more."""
    while (await runtime.restore.to_look_up()) != {}:  # noqa: ASYNC110 - in virtual time
        await trio.sleep(1)


def runs_of(site, job):
    return [run for run in site.remote.runs if run.key.startswith(job.job_id)]


async def test_a_job_that_has_run_since_is_adopted_and_runs_once(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        first = await runtime.submit(request(duration=10))
        second = await runtime.submit(request(duration=10))
        site.take()
        await runtime.wait(first.job_id)
        await runtime.wait(second.job_id)
    await site.restore()
    async with site.open(site.new) as runtime:
        for job in (first, second):
            assert (await runtime.wait(job.job_id)).status == "completed"
            assert len(runs_of(site, job)) == 1
        assert (await runtime.queue.view()).paused is not None


async def test_a_job_that_surely_has_not_run_waits_as_it_did_until_the_queue_is_resumed(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        waiting = await runtime.submit(request(duration=10))
        site.take()
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        await trio.sleep(60)
        view = await runtime.jobs.get(waiting.job_id)
        assert (view.job.status, view.entry.restored) == ("pending", None)
        assert "the queue is paused: restored from a backup" in view.reason
        await runtime.queue.resume(None, by="root")
        assert (await runtime.wait(waiting.job_id)).status == "completed"
        assert len(runs_of(site, waiting)) == 1


async def test_a_job_that_ran_and_runs_on_holds_its_slot_all_the_time(autojump_clock, site):
    async with site.open(site.original) as runtime:
        running = await runtime.submit(request(duration=LONG))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new, limits=ONE) as runtime:
        await runtime.queue.resume(None, by="root")
        second = await runtime.submit(request(duration=10))
        await looked_up(runtime)
        assert (await runtime.jobs.get(running.job_id)).entry.restored is None
        ended = await runtime.wait(running.job_id)
        assert (await runtime.wait(second.job_id)).created_at < ended.completed_at
        assert [len(runs_of(site, job)) for job in (running, second)] == [1, 1]
        assert site.remote.most_at_once()[None] == 1


@pytest.mark.parametrize("options", [NONE, BY_TOKEN])
async def test_where_the_provider_cannot_tell_the_job_is_uncertain_and_holds_no_slot(autojump_clock, site, options):
    async with site.open(site.original, options=options, limits=ONE) as runtime:
        running = await runtime.submit(request(duration=LONG))
        waiting = await runtime.submit(request(duration=10))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new, options=options, limits=attrs.evolve(ONE, total=2, per_user=2)) as runtime:
        await looked_up(runtime)
        view = await runtime.jobs.get(waiting.job_id)
        assert "since the backup was made" in view.job.uncertain_reason
        assert view.entry.restored is Restored.PENDING
        await runtime.queue.resume(None, by="root")
        new = await runtime.submit(request(duration=10))  # two of two would run, were the uncertain one counted
        assert (await runtime.wait(new.job_id)).status == "completed"
        assert (await runtime.jobs.get(running.job_id)).job.status == "running"
        await runtime.jobs.settle(waiting.job_id, "not_run", by="root")
        assert (await runtime.wait(waiting.job_id)).status == "completed"
        assert (await runtime.jobs.get(waiting.job_id)).entry.restored is None


async def test_records_younger_than_the_backup_prove_nothing(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        running = await runtime.submit(request(duration=LONG))
        waiting = await runtime.submit(request(duration=10))
        await trio.sleep(1)
        site.take()
    await trio.sleep(1)
    site.remote = ScriptedRemote(site.clock.now)
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        views = [await runtime.jobs.get(job.job_id) for job in (running, waiting)]
        assert "no longer has it" in views[0].job.uncertain_reason
        assert "has no records from before" in views[1].job.uncertain_reason
        assert [view.entry.restored for view in views] == [Restored.RUNNING, Restored.PENDING]
        outcome = await runtime.selections.settle(Selection(user_id="ana"), "failed", by="root")
        assert [one.status for one in outcome.results] == ["failed", "failed"]


async def test_a_job_that_ran_again_since_is_followed_at_its_newest_attempt(autojump_clock, site):
    again = Rerun(times=3, delay=1.0)
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(rerun=again, duration=10, interruptions=2))
        await trio.sleep(1)
        site.take()
        assert (await runtime.wait(job.job_id)).status == "completed"
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.reruns, view.entry.attempt) == ("completed", 2, 2)
        assert [one.attempt for one in view.attempts] == [1, 2, 3]
        assert len(runs_of(site, job)) == 3


async def test_a_blocked_job_that_was_approved_and_ran_since_is_adopted(autojump_clock, site):
    async with site.open(site.original) as runtime:
        ran = await runtime.submit(request(duration=10, requires_approval="why"))
        still = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
        asked = {one.job_id: one.approval_id for one in await runtime.approvals.page()}
        await runtime.approve(asked[ran.job_id], by="bo")
        await runtime.wait(ran.job_id)
    await site.restore()
    async with site.open(site.new) as runtime:
        assert (await runtime.wait(ran.job_id)).status == "completed"
        await looked_up(runtime)
        view = await runtime.jobs.get(still.job_id)
        assert (view.entry.status, view.entry.restored) == ("blocked", None)
        states = {one.job_id: one.status for one in await runtime.approvals.page()}
        assert states == {ran.job_id: "cancelled", still.job_id: "pending"}
        await runtime.queue.resume(None, by="root")
        await runtime.approve(asked[still.job_id], by="bo")
        assert (await runtime.wait(still.job_id)).status == "completed"


async def test_a_blocked_job_in_doubt_waits_for_its_approval_again_once_it_is_settled(autojump_clock, site):
    async with site.open(site.original, options=NONE, approvals=ApprovalOptions(timeout_hours=0.5)) as runtime:
        job = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
    await site.restore()
    async with site.open(site.new, options=NONE, approvals=ApprovalOptions(timeout_hours=0.5)) as runtime:
        await looked_up(runtime)
        (approval,) = await runtime.approvals.page()
        for decide in (runtime.approve, runtime.reject):
            with pytest.raises(Refused, match="not known yet whether it has run since; greenroom settle"):
                await decide(approval.approval_id, by="bo")
        await trio.sleep(2 * approval.timeout_seconds)  # it does not expire either: it may have been decided
        await runtime.jobs.settle(job.job_id, "not_run", by="root")
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.status, view.job.uncertain_since) == ("pending", "blocked", None)
        await runtime.queue.resume(None, by="root")
        await runtime.approve(approval.approval_id, by="bo")
        assert (await runtime.wait(job.job_id)).status == "completed"


async def test_what_the_provider_cannot_answer_yet_waits_even_when_the_queue_is_resumed(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        waiting, unwanted = [await runtime.submit(request(duration=10)) for _ in range(2)]
        site.take()
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new) as runtime:
        await runtime.queue.resume(None, by="root")
        await trio.sleep(120)
        view = await runtime.jobs.get(waiting.job_id)
        assert (view.job.status, view.entry.restored) == ("pending", Restored.LOOK_UP)
        assert "its provider is asked whether it has run since" in view.reason
        assert any("still to be looked up" in one for one in (await runtime.health.check()).reasons)
        assert runs_of(site, waiting) == []
        cancelled = await runtime.cancel(unwanted.job_id, by="ana")
        assert cancelled.status == "pending"  # it may run: its provider is asked first
        site.remote.heal()
        assert (await runtime.wait(unwanted.job_id)).status == "cancelled"
        assert (await runtime.wait(waiting.job_id)).status == "completed"
        assert [len(runs_of(site, job)) for job in (waiting, unwanted)] == [1, 0]


async def test_a_person_may_settle_a_job_that_cannot_be_looked_up(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        jobs = [await runtime.submit(request(duration=10)) for _ in range(2)]
        site.take()
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new) as runtime:
        await runtime.queue.resume(None, by="root")
        assert (await runtime.jobs.settle(jobs[0].job_id, "failed", by="root")).status == "failed"
        await runtime.jobs.settle(jobs[1].job_id, "not_run", by="root")
        assert (await runtime.wait(jobs[1].job_id)).status == "completed"


async def test_jobs_that_wait_for_others_or_for_a_time_wait_on(autojump_clock, site):
    async with site.open(site.original) as runtime:
        parent = await runtime.submit(request(duration=100, config_name="parent"))
        child = await runtime.submit(request(duration=10, after=("parent",)))
        later = await runtime.submit(request(duration=10, start_after="+10m"))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        await runtime.queue.resume(None, by="root")
        for job in (parent, child, later):
            assert (await runtime.wait(job.job_id)).status == "completed"
        assert (await runtime.jobs.row(child.job_id)).started_at >= (await runtime.jobs.row(parent.job_id)).completed_at
        assert [len(runs_of(site, job)) for job in (parent, child, later)] == [1, 1, 1]


async def test_what_runs_and_is_in_no_row_is_listed_and_left_alone(autojump_clock, site):
    async with site.open(site.original) as runtime:
        await runtime.submit(request(duration=LONG))
        site.take()
        unknown = await runtime.submit(request(duration=LONG))
        await trio.sleep(1)
        assert (await runtime.restore.view()).unknown_jobs == ()  # it was not restored
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        view = await runtime.restore.view()
        assert [(one.provider, one.key) for one in view.unknown_jobs] == [("scripted", f"{unknown.job_id}-1")]
        await trio.sleep(100)
        assert site.remote.calls_of("cancel") == []


async def test_a_second_restore_leaves_in_doubt_what_the_first_one_did(autojump_clock, site):
    async with site.open(site.original, options=NONE, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        waiting = await runtime.submit(request(duration=10))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new, options=NONE) as runtime:
        await looked_up(runtime)
        site.take_of(site.new)
    made = await site.restore(site.folder / "second")
    assert made.begun.to_look_up == 1
    async with site.open(site.folder / "second", options=NONE) as runtime:
        await looked_up(runtime)
        await runtime.queue.resume(None, by="root")
        await runtime.jobs.settle(waiting.job_id, "not_run", by="root")
        assert (await runtime.wait(waiting.job_id)).status == "completed"


async def test_an_approval_may_come_before_the_provider_has_answered(autojump_clock, site):
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new) as runtime:
        await runtime.queue.resume(None, by="root")
        (approval,) = await runtime.approvals.page()
        with pytest.raises(Refused, match="reject it when its provider has answered, or cancel the job"):
            await runtime.reject(approval.approval_id, by="bo")
        await runtime.approve(approval.approval_id, by="bo")
        await trio.sleep(60)
        assert runs_of(site, job) == []
        site.remote.heal()
        assert (await runtime.wait(job.job_id)).status == "completed"


async def test_an_answer_that_was_lost_before_the_backup_is_settled_as_ever(autojump_clock, site):
    """Its token is known, so that a provider that looks for it can be asked, but for no attempt after that one."""
    site.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=2), Fault(FaultKind.DOWN, ("find",), times=None))
    async with site.open(site.original, options=BY_TOKEN) as runtime:
        jobs = [await runtime.submit(request(duration=300, max_attempts=most)) for most in (1, 3)]
        await trio.sleep(10)
        site.take()
    site.remote.heal()
    await site.restore()
    async with site.open(site.new, options=BY_TOKEN) as runtime:
        for job in jobs:
            assert (await runtime.wait(job.job_id)).status == "completed"
            assert len(runs_of(site, job)) == 1


async def test_until_it_is_looked_up_nothing_else_is_done_about_a_job_that_ran(autojump_clock, site):
    """Its attempt ended and it ran again since: seeing the end alone, the runtime would run it once more."""
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(rerun=Rerun(times=3, delay=1.0), duration=10, interruptions=1))
        await trio.sleep(1)
        site.take()
        assert (await runtime.wait(job.job_id)).status == "completed"
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new) as runtime:
        await runtime.queue.resume(None, by="root")
        await trio.sleep(120)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.restored) == ("running", Restored.LOOK_UP)
        site.remote.heal()
        assert (await runtime.wait(job.job_id)).status == "completed"
        assert len(runs_of(site, job)) == 2
