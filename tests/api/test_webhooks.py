"""Webhooks in: from a signed request to the job that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import pytest
import trio
from sqlalchemy import text
from trio.testing import MockClock

from actors.jobs.records import JobStatus, SubmissionState
from actors.store import submissions
from actors.store.schema import webhook_deliveries
from actors.testing.fake_replicate import Deliveries, Disorder, Fault, FaultKind, signed
from logconf.testing import capture_logs
from tests.api.webhook_stage import HOOK, Stage, counted


async def delivering(stage: Stage, disorder: Disorder, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
    """Send what the fake tells, until cancelled."""

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        return (await stage.http.post(url, headers=dict(headers), content=body)).status_code

    deliveries = Deliveries(stage.fake, post, disorder, seed=7)
    task_status.started()
    await deliveries.run()


# From end to end.


@pytest.mark.parametrize("disorder", [Disorder(), Disorder(late=30, copies=3)], ids=["in order", "late and thrice"])
async def test_jobs_end_by_deliveries_alone(stage: Stage, disorder: Disorder, autojump_clock: MockClock) -> None:
    """No timed polling: every status comes by webhook, in whatever order, and each job ends as it ended there."""
    async with trio.open_nursery() as nursery:
        await nursery.start(delivering, stage, disorder)
        good = await stage.submit(queue_seconds=5, seconds=20)
        bad = await stage.submit(queue_seconds=5, seconds=20, outcome="failed", error="out of memory")
        ends = {await stage.end(job) for job in (good, bad)}
        nursery.cancel_scope.cancel()
    assert ends == {JobStatus.COMPLETED, JobStatus.FAILED}
    assert (await stage.runtime.jobs.get(bad.job_id)).job.error_message == "out of memory"


async def test_the_address_that_replicate_gets_has_the_submission_token(
    stage: Stage, autojump_clock: MockClock
) -> None:
    job = await stage.submit(seconds=1000)
    found = await stage.runtime.ledger.read(lambda connection: submissions.newest(connection, job.job_id))
    assert found is not None
    (remote,) = stage.fake.jobs()
    assert remote.webhook == f"{HOOK}?token={found.token}"
    assert remote.events == {"start", "completed"}


async def test_a_job_whose_answer_was_lost_is_adopted_by_the_token_of_its_delivery(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """Without ``token_input`` nobody else could tell: the job was flagged uncertain, and a delivery settles it."""
    stage.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", "/v1/models/*"))
    job = await stage.submit(seconds=60)
    (remote,) = stage.fake.jobs()
    assert remote.webhook is not None
    await trio.sleep(10)
    assert (await stage.runtime.jobs.get(job.job_id)).job.uncertain_since is not None
    answer = await stage.post(stage.told(remote), query="?" + remote.webhook.partition("?")[2])
    assert answer.status_code == 200
    seen = (await stage.runtime.jobs.get(job.job_id)).job
    assert (seen.status, seen.uncertain_since) == (JobStatus.RUNNING, None)
    assert await stage.state(job) is SubmissionState.HANDED
    await trio.sleep(60)
    await stage.post(stage.told(remote), delivery="msg_2")
    assert await stage.status(job) is JobStatus.COMPLETED
    assert len(stage.fake.jobs()) == 1


async def test_a_delivery_with_the_token_of_nobody_changes_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    stage.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", "/v1/models/*"))
    job = await stage.submit(seconds=60)
    (remote,) = stage.fake.jobs()
    assert (await stage.post(stage.told(remote), query="?token=guessed")).status_code == 200
    assert await stage.state(job) is SubmissionState.UNKNOWN


# After a delivery the job is read back.


async def test_the_job_is_read_back_after_a_delivery(stage: Stage, autojump_clock: MockClock) -> None:
    """What the provider says then counts, whatever the delivery claimed."""
    job = await stage.submit(queue_seconds=1, seconds=30)
    (remote,) = stage.fake.jobs()
    await trio.sleep(31.5)
    asked = len(stage.fake.calls("GET", "/v1/predictions/*"))
    await stage.post(stage.told(remote, status="processing", completed_at=None, metrics=None, output=None))
    assert await stage.end(job) is JobStatus.COMPLETED
    assert len(stage.fake.calls("GET", "/v1/predictions/*")) == asked + 1


async def test_a_late_delivery_moves_no_job_backwards(stage: Stage, autojump_clock: MockClock) -> None:
    """`starting` after `processing`, and `processing` after the end."""
    job = await stage.submit(seconds=30)
    (remote,) = stage.fake.jobs()
    early = stage.told(remote, status="starting", started_at=None)
    running = stage.told(remote)
    await stage.post(running, delivery="msg_a")
    assert await stage.status(job) is JobStatus.RUNNING
    await stage.post(early, delivery="msg_b")
    assert await stage.status(job) is JobStatus.RUNNING
    await trio.sleep(31)
    await stage.post(stage.told(remote), delivery="msg_c")
    await stage.post(running, delivery="msg_d")
    assert await stage.status(job) is JobStatus.COMPLETED


# Repetition.


@pytest.mark.parametrize("readable", [True, False])
async def test_a_delivery_about_a_job_whose_row_is_damaged_is_taken_once(
    stage: Stage, autojump_clock: MockClock, readable: bool
) -> None:
    """It changes nothing and is not asked for again: the row would be damaged for the next try, too."""
    damaged = await stage.submit(seconds=30)
    (remote,) = stage.fake.jobs()
    spoil = text("UPDATE jobs SET request = '{'")
    await stage.runtime.ledger.store.write(lambda tx: tx.connection.execute(spoil))
    other = await stage.submit(seconds=30)
    body = stage.told(remote, status="succeeded") if readable else stage.told(remote, status=7)
    with capture_logs() as lines:
        assert [(await stage.post(body)).status_code for _ in range(2)] == [200, 200]
    assert (counted(stage, "damaged"), counted(stage, "repeated")) == (1, 1)
    assert [damaged.job_id in line["message"] for line in lines if "its row is damaged" in line["message"]] == [True]
    (theirs,) = [one for one in stage.fake.jobs() if one.id != remote.id]
    await trio.sleep(31)
    await stage.post(stage.told(theirs), delivery="msg_2")
    assert await stage.end(other) is JobStatus.COMPLETED


async def test_a_repeated_delivery_is_answered_and_does_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    """The same id again, for a day: no event, no question to the provider."""
    job = await stage.submit(seconds=3000)
    (remote,) = stage.fake.jobs()
    assert (await stage.post(stage.told(remote))).status_code == 200
    await trio.sleep(5)
    events, asked = await stage.runtime.event_reader.past_events(job_id=job.job_id), len(stage.fake.requests)
    await trio.sleep(250)
    again = await stage.post(stage.told(remote))
    await trio.sleep(5)
    assert again.status_code == 200
    assert await stage.runtime.event_reader.past_events(job_id=job.job_id) == events
    assert len(stage.fake.requests) == asked


async def test_ids_are_forgotten_after_a_day(stage: Stage, autojump_clock: MockClock) -> None:
    """The table does not grow for ever."""
    body = orjson.dumps({"id": "elsewhere", "status": "processing"})
    for number in range(5):
        await stage.post(body, delivery=f"msg_{number}")
    stage.clock.suspend(timedelta(hours=24, seconds=1))
    await stage.post(body, delivery="msg_new")
    kept = await stage.runtime.ledger.read(
        lambda connection: connection.execute(webhook_deliveries.select()).scalars().all()
    )
    assert len(kept) == 1


async def test_ids_are_not_forgotten_on_the_word_of_a_clock_that_leapt(stage: Stage, autojump_clock: MockClock) -> None:
    """What was taken once is not taken again because a day seems to have passed (C6)."""
    body = orjson.dumps({"id": "elsewhere", "status": "processing"})
    for number in range(3):
        await stage.post(body, delivery=f"msg_{number}")
    stage.clock.move(timedelta(days=91))
    await stage.post(body, delivery="msg_new")
    kept = await stage.runtime.ledger.read(
        lambda connection: connection.execute(webhook_deliveries.select()).scalars().all()
    )
    assert len(kept) == 4


# The log.


async def test_the_line_of_a_delivery_has_its_jobs_correlation_id(stage: Stage, autojump_clock: MockClock) -> None:
    """And beside it the request's own, which the sender is answered with."""
    job = await stage.submit(seconds=30)
    (remote,) = stage.fake.jobs()
    body = stage.told(remote)
    headers = {**signed(stage.fake.secret, "msg_1", stage.clock.now(), body), "x-correlation-id": "of-the-request"}
    with capture_logs() as lines:
        assert (await stage.post(body, headers)).headers["x-correlation-id"] == "of-the-request"
    (line,) = [line for line in lines if line["logger"] == "actors.control.deliveries"]
    assert line["correlation_id"] == job.correlation_id
    told = line["extra"]
    assert (told["job_id"], told["delivery_id"], told["cycle_id"]) == (job.job_id, "msg_1", "of-the-request")
