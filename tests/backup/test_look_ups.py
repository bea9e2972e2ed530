"""After a restore every job that had not ended is looked up, and is found or surely not there (F3)."""

from __future__ import annotations

from array import array
from datetime import timedelta

import trio

from actors.jobs.look_ups import Adopt, Seen
from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import Observation, Phase, Rerun, SubmissionState
from actors.jobs.series import SeriesData, Snapshot, Summary
from actors.ledger.look_ups import record_look_up
from actors.providers.scripted.faults import Fault, FaultKind
from actors.testing import request
from tests.backup.look_ups import BY_TOKEN, LONG, ONE, looked_up, runs_of
from tests.runs_at_once import most_at_once


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
        assert most_at_once(site.remote)[None] == 1


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
        assert [one.state for one in view.attempts] == ["closed"] * 3
        assert all(one.handed_at for one in view.attempts)
        for number in (1, 2, 3):  # each is known by its handle
            pieces = [data async for data, _ in runtime.log_reader.read(job.job_id, attempt=number)]
            assert b"".join(pieces).endswith(b"completed\n" if number == 3 else b"interrupted\n")
        assert len(runs_of(site, job)) == 3


async def test_an_attempt_that_was_being_submitted_and_never_arrived_did_not_run(autojump_clock, site):
    site.remote.inject(Fault(FaultKind.CRASH, ("submit",), times=1, seconds=5.0, accepted=False))
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(duration=10, rerun=Rerun(times=3, delay=1.0)))
        await trio.sleep(1)
        site.take()
        assert (await runtime.wait(job.job_id)).status == "completed"
    await site.restore()
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        view = await runtime.jobs.get(job.job_id)
        assert (view.job.status, view.entry.reruns, len(runs_of(site, job))) == ("completed", 0, 1)
        assert [one.handed_at is None for one in view.attempts] == [True, False]
        assert "its provider never had it" in view.attempts[0].error_message
        assert "job_rerun" not in [event.type for event in await runtime.event_reader.past_events(job_id=job.job_id)]


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


async def test_what_the_answer_about_a_job_says_is_recorded_with_it(autojump_clock, site):
    """It comes late, and from a provider that is not polled: nobody would ask again for hours."""
    unpolled = PollerOptions(enabled=False, safety_net_seconds=100_000)
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(duration=10, progress=2, series={"loss": [2.0, 1.0]}))
        longer = await runtime.submit(request(duration=300, progress=99, series={"loss": [2.0] * 99}))
        await trio.sleep(1)
        site.take()
        assert (await runtime.wait(job.job_id)).status == "completed"
    await site.restore()
    site.remote.inject(Fault(FaultKind.REFUSED, ("observe",), times=1))
    async with site.open(site.new, poller=unpolled) as runtime:
        with trio.fail_after(60):
            ended = await runtime.wait(job.job_id)
        await looked_up(runtime)  # the refused question may have been about either
        view = await runtime.jobs.get(job.job_id)
        assert (ended.status, view.entry.restored, len(runs_of(site, job))) == ("completed", None, 1)
        for one in (job, longer):
            assert list((await runtime.series.of_job(one.job_id))[1]) == ["loss"]


async def test_the_attempt_of_the_backup_is_recognised_with_all_that_the_answer_says(autojump_clock, site):
    """Whether or not its answer had come; nothing else is asked."""
    site.remote.inject(
        Fault(FaultKind.LOST_ANSWER, ("submit",), times=1), Fault(FaultKind.DOWN, ("find", "observe"), times=None)
    )
    async with site.open(site.original) as runtime:
        jobs = [await runtime.submit(request(duration=LONG)) for _ in range(2)]
        await trio.sleep(1)
        states = {(await runtime.jobs.get(job.job_id)).submission.state for job in jobs}
        assert states == {SubmissionState.UNKNOWN, SubmissionState.HANDED}
        site.take()
    await site.restore()
    loss = SeriesData("loss", array("d", [1.0, 0.5]).tobytes(), Summary())
    seen = Observation(Phase.RUNNING, "running", series=Snapshot(1, (loss,)))
    async with site.open(site.new) as runtime:
        for job in jobs:
            submission = (await runtime.jobs.get(job.job_id)).submission
            adopt = Adopt((Seen(submission.key, {"run": submission.key}, seen),))
            more = {"token": lambda: "token", "jitter": lambda: 0.5}
            await runtime.ledger.write(record_look_up, job.job_id, adopt, **more)
            view = await runtime.jobs.get(job.job_id)
            assert (view.submission.state, view.entry.restored) == (SubmissionState.HANDED, None)
            assert view.job.status == "running"
            if submission.state is SubmissionState.HANDED:
                assert list((await runtime.series.of_job(job.job_id))[1]) == ["loss"]


async def test_the_time_to_decide_an_approval_begins_anew_with_the_restore(autojump_clock, site):
    """Nobody could decide while nothing ran; what was decided in the backup stays so."""
    async with site.open(site.original) as runtime:
        still = await runtime.submit(request(duration=10, requires_approval="why"))
        approved = await runtime.submit(request(duration=LONG, requires_approval="why"))
        await runtime.approve(approved.job_id, by="bo")
        before = {one.job_id: one for one in await runtime.approvals.page()}
        site.take()
    site.clock.suspend(timedelta(hours=23))
    begun = site.clock.now()
    await site.restore()
    async with site.open(site.new) as runtime:
        after = {one.job_id: one for one in await runtime.approvals.page()}
        assert after[still.job_id].expires_at == begun + timedelta(hours=24)
        assert after[approved.job_id] == before[approved.job_id]


async def test_the_time_to_decide_begins_anew_once_the_provider_was_asked(autojump_clock, site):
    """The restored directory may lie for days until its supervisor is started."""
    async with site.open(site.original) as runtime:
        job = await runtime.submit(request(duration=10, requires_approval="why"))
        site.take()
    await site.restore()
    site.clock.suspend(timedelta(hours=50))
    async with site.open(site.new) as runtime:
        started = site.clock.now()
        await trio.sleep(3_600)
        (approval,) = await runtime.approvals.page()
        assert approval.expires_at >= started + timedelta(hours=24)
        assert (await runtime.jobs.get(job.job_id)).entry.status == "blocked"


async def test_an_attempt_that_was_made_since_counts_in_the_run_of_the_backup_and_one_after_an_end_begins_another(
    autojump_clock, site
):
    """``max_attempts`` counts the failed hand-overs of one run."""
    site.remote.inject(Fault(FaultKind.DOWN, ("find", "observe"), times=None))
    async with site.open(site.original, limits=Limits(total=0)) as runtime:
        jobs = [await runtime.submit(request(duration=LONG, max_attempts=5)) for _ in range(2)]
        site.take()
    await site.restore()
    async with site.open(site.new) as runtime:
        for job, numbers, after in ((jobs[0], (3,), (2, 0, 0)), (jobs[1], (1, 3), (2, 1, 2))):
            keys = [f"{job.job_id}-{number}" for number in numbers]
            adopt = Adopt(tuple(Seen(key, {"run": key}, None) for key in keys))
            more = {"token": lambda: "token", "jitter": lambda: 0.5}
            await runtime.ledger.write(record_look_up, job.job_id, adopt, **more)
            view = await runtime.jobs.get(job.job_id)
            assert (view.entry.attempt, view.entry.reruns, view.entry.run_first_attempt) == after
            assert (view.submission.key, view.submission.state) == (keys[-1], SubmissionState.HANDED)
            assert [one.state for one in view.attempts] == [*["closed"] * (len(keys) - 1), "handed"]
            assert all(one.handed_at for one in view.attempts)
            assert view.entry.restored is None
