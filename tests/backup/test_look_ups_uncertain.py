"""After a restore a provider that cannot tell whether a job has run, or not yet: the job waits or is in doubt (F3)."""

from __future__ import annotations

import attrs
import pytest
import trio

from actors.jobs.look_ups import MOST_KEYS
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import Rerun, Restored
from actors.jobs.refusal import Refused
from actors.jobs.selections import Selection
from actors.providers.scripted import ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request
from tests.backup.look_ups import BY_TOKEN, LONG, NONE, ONE, looked_up, runs_of


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
        assert "whether it has run since is to be found out at scripted" in view.reason
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


async def test_an_attempt_whose_status_is_not_known_is_asked_about_again(autojump_clock, site):
    """It may have ended and run again since, so it is not taken for the one that runs."""
    async with site.open(site.original, options=NONE, limits=ONE) as runtime:
        job = await runtime.submit(request(rerun=Rerun(times=1, delay=1.0), duration=10, interruptions=1))
        await trio.sleep(1)
        site.take()
        await trio.sleep(60)
    assert len(runs_of(site, job)) == 2
    await site.restore()
    site.remote.inject(Fault(FaultKind.UNKNOWN_STATUS, ("observe",), times=2))
    async with site.open(site.new, options=NONE) as runtime:
        await runtime.queue.resume(None, by="root")
        await trio.sleep(120)
        view = await runtime.jobs.get(job.job_id)
        assert "whether it ran again is not known" in view.job.uncertain_reason
        assert len(runs_of(site, job)) == 2


async def test_an_attempt_that_ended_is_not_followed_by_another_where_one_may_have_run_since(autojump_clock, site):
    """Its provider shows the end of the first attempt again and again, and cannot look the second one up."""
    async with site.open(site.original, options=BY_TOKEN, limits=ONE) as runtime:
        job = await runtime.submit(request(duration=LONG, rerun=Rerun(times=1, on=("interrupted",), delay=0.0)))
        await trio.sleep(1)
        site.take()
        site.remote.interrupt(runs_of(site, job)[0], "its node was lost")
        await trio.sleep(60)
    first, second = runs_of(site, job)
    await site.restore()
    async with site.open(site.new, options=BY_TOKEN, limits=ONE) as runtime:
        await looked_up(runtime)
        await runtime.queue.resume(None, by="root")
        await trio.sleep(600)
        view = await runtime.jobs.get(job.job_id)
        assert "whether it ran again is not known" in view.job.uncertain_reason
        assert runs_of(site, job) == [first, second]
        await runtime.jobs.settle(job.job_id, "ran", handle={"run": second.run_id}, by="root")
        assert (await runtime.wait(job.job_id)).status == "completed"
    assert runs_of(site, job) == [first, second]


async def test_where_a_submission_is_found_by_its_token_alone_a_second_one_may_have_had_another(autojump_clock, site):
    """The first one, of the backup, surely never arrived; the second one did, later and under the same key."""
    site.remote.inject(
        Fault(FaultKind.LOST_ANSWER, ("submit",), times=1, accepted=False), Fault(FaultKind.DOWN, ("find",), times=None)
    )
    async with site.open(site.original, options=BY_TOKEN) as runtime:
        job = await runtime.submit(request(duration=10, max_attempts=1))
        await trio.sleep(5)
        site.take()
        site.remote.heal()
        assert (await runtime.wait(job.job_id)).status == "completed"
    await site.restore()
    async with site.open(site.new, options=BY_TOKEN) as runtime:
        await looked_up(runtime)
        await runtime.queue.resume(None, by="root")
        await trio.sleep(600)
        assert "since the backup was made" in (await runtime.jobs.get(job.job_id)).job.uncertain_reason
    assert len(runs_of(site, job)) == 1


async def test_the_request_of_a_job_that_was_cancelled_before_its_answer_came_is_closed_with_it(autojump_clock, site):
    async with site.open(site.original) as runtime:
        unwanted = await runtime.submit(request(duration=10, requires_approval="why"))
        kept = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=None))
    async with site.open(site.new) as runtime:
        assert (await runtime.cancel(unwanted.job_id, by="ana")).status == "pending"
        site.remote.heal()
        ended = await runtime.wait(unwanted.job_id)
        await looked_up(runtime)
        assert (ended.status, ended.error_message) == ("cancelled", "Cancelled by ana")
        requests = {one.job_id: one for one in await runtime.approvals.page()}
        closed = requests[unwanted.job_id]
        assert (closed.status, closed.decision_reason) == ("cancelled", "its job was cancelled")
        assert requests[kept.job_id].status == "pending"
        told = [event for event in await runtime.event_reader.past_events() if event.type == "job_restored"]
        assert {(one.job_id, one.data["reason"]) for one in told} == {
            (job.job_id, "it has not run since") for job in (unwanted, kept)
        }


@pytest.mark.parametrize(("most", "is_in_doubt"), [(MOST_KEYS // 2, False), (MOST_KEYS // 2 + 1, True)])
async def test_a_job_that_may_have_had_more_attempts_than_are_asked_about_is_in_doubt(
    autojump_clock, site, most, is_in_doubt
):
    """Two runs of so many attempts each; none is found under any key that is asked about."""
    async with site.open(site.original, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        job = await runtime.submit(request(duration=10, max_attempts=most, rerun=Rerun(times=1)))
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        reason = (await runtime.jobs.get(job.job_id)).job.uncertain_reason
        assert reason == (f"it may have had more than {MOST_KEYS} attempts" if is_in_doubt else None)
        asked = [key for call in site.remote.calls_of("find") for key in call.keys if key.startswith(job.job_id)]
        assert len(asked) == len(set(asked)) == MOST_KEYS
