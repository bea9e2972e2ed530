"""What is shown of one job: its place in the queue and its forecast, for a job that waits for its turn alone."""

from __future__ import annotations

from datetime import timedelta

import trio

from actors.jobs.notify_options import NotificationType
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, JobStatus, QueueStatus, Submission, SubmissionState
from actors.ledger import queries
from actors.providers.scripted import Fault, FaultKind, Refusal
from actors.store import notifications, queue, submissions
from tests.ledger.dependencies import named, submitted

ONE = Limits(total=1, per_user=1)


async def placed(runtime, job):
    view = await runtime.jobs.get(job.job_id)
    return view.entry.status, view.position, view.starts is not None, view.estimate is not None


async def test_only_a_job_that_waits_for_its_turn_has_a_place_and_a_forecast(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        running, first, second = await submitted(
            runtime, *(named(name, duration=1_000, max_runtime=1_000.0) for name in ("running", "first", "second"))
        )
        held, later = await submitted(runtime, named("held", "running"), named("later", start_after="+10m"))
        asked = await world.submit(requires_approval="big")
        await trio.sleep(1)
        assert await placed(runtime, running) == (QueueStatus.RUNNING, None, False, False)
        assert (await placed(runtime, first))[:2] == (QueueStatus.PENDING, 0)
        assert (await placed(runtime, second))[:2] == (QueueStatus.PENDING, 1)
        for job in (held, later):
            assert await placed(runtime, job) == (QueueStatus.PENDING, None, False, False)
        assert await placed(runtime, asked) == (QueueStatus.BLOCKED, None, False, False)
        assert (await runtime.cancel(second.job_id)).status is JobStatus.CANCELLED
        assert await placed(runtime, second) == (QueueStatus.CANCELLED, None, False, False)


async def test_the_event_of_a_bad_end_says_why_and_that_of_a_good_one_has_no_message(autojump_clock, world):
    async with world.open() as runtime:
        good = await world.submit(duration=1)
        bad = await world.submit(duration=1, result="failed", error="no luck")
        unwanted = await world.submit(requires_approval="big")
        await runtime.cancel(unwanted.job_id, by="bo")
        for job in (good, bad):
            await runtime.wait(job.job_id)
        ends = {event.job_id: event.data for event in await world.events() if event.is_end}
        assert "error_message" not in ends[good.job_id]
        assert ends[bad.job_id]["error_message"] == "no luck"
        assert ends[unwanted.job_id]["error_message"] == "Cancelled by bo"


async def test_the_next_try_is_announced_until_its_moment_and_from_then_on_the_job_is_ready(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.REFUSED, ("submit",), times=1, refusal=Refusal.OTHER))
    async with world.open(limits=ONE) as runtime:
        job = await world.submit(duration=1_000)
        await trio.sleep(1)
        entry = (await runtime.jobs.get(job.job_id)).entry

        async def seen(moment):
            context = queries.DecisionContext(ONE, {"scripted": Capacity()}, moment)
            view = await runtime.ledger.read(queries.view, job.job_id, context)
            return view.queue_status, (view.reason or "").startswith(f"next try at {entry.not_before:%H:%M:%S} UTC: ")

        assert entry.attempt == 1
        assert await seen(entry.not_before - timedelta(microseconds=1)) == (QueueStatus.PENDING, True)
        assert await seen(entry.not_before) == (QueueStatus.READY, False)
        await world.submit()
        await trio.sleep(entry.wait_seconds)
        waiting = await world.submit()
        assert (await runtime.jobs.get(waiting.job_id)).queue_status is QueueStatus.PENDING  # it was never tried


async def test_the_newest_hundred_notifications_of_a_job_are_shown_with_it(autojump_clock, world):
    def note(tx):
        add, type_ = notifications.add, NotificationType.STARTED
        return [add(tx.connection, "chat", type_, {}, tx.now, job.job_id) for _ in range(101)]

    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit()
        numbers = await runtime.ledger.write(note)
        shown = (await runtime.jobs.get(job.job_id)).notifications
        assert sorted(one.notification_id for one in shown) == numbers[1:]


async def test_the_newest_hundred_attempts_at_a_job_are_shown_the_oldest_of_them_first(autojump_clock, world):
    def tried(tx):
        queue.change(tx.connection, job.job_id, attempt=101)
        for number in range(1, 102):
            key, at = f"{job.job_id}-{number}", tx.now + timedelta(seconds=number)
            submissions.put(tx.connection, [Submission(job.job_id, key, "token", SubmissionState.CLOSED, at)])

    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit(max_attempts=200)
        await runtime.ledger.write(tried)
        shown = (await runtime.jobs.get(job.job_id)).attempts
        assert [one.attempt for one in shown] == list(range(2, 102))


async def test_the_entry_of_a_job_ends_with_it_and_then_waits_for_nothing(autojump_clock, world):
    async with world.open() as runtime:
        ran = await world.submit(duration=10)
        later = await world.submit(start_after="+1h")
        await trio.sleep(5)
        await runtime.cancel(later.job_id, by="bo")
        await runtime.wait(ran.job_id)
        for job in (ran, later):
            view = await runtime.jobs.get(job.job_id)
            assert view.entry.completed_at == view.job.completed_at is not None
            assert (view.entry.start_after, view.entry.restored, view.job.uncertain_since) == (None, None, None)


async def test_an_attempt_has_the_status_of_its_job_once_it_was_handed_over_and_else_says_what_failed(
    autojump_clock, world
):
    world.remote.inject(
        Fault(FaultKind.REFUSED, ("submit",), times=1, refusal=Refusal.OTHER),
        Fault(FaultKind.LOST_ANSWER, ("submit",), times=1, accepted=False),
        Fault(FaultKind.DOWN, ("find",), times=None, until=600),
    )
    async with world.open() as runtime:

        async def attempts():
            shown = (await runtime.jobs.get(job.job_id)).attempts
            return [(one.attempt, one.status, bool(one.error_message), one.handed_at is not None) for one in shown]

        job = await world.submit(duration=10)
        await trio.sleep(200)
        assert await attempts() == [(1, None, True, False), (2, None, True, False)]
        await runtime.wait(job.job_id)
        assert await attempts() == [(1, None, True, False), (2, "completed", False, True)]
