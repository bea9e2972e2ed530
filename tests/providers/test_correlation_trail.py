"""One correlation ID in, and everything that was done for it can be found by it (A14)."""

from __future__ import annotations

import logging

import httpx
import trio

from actors.api.webhooks import create_webhook_app
from actors.jobs.records import JobStatus
from actors.testing.fake_replicate import Deliveries, Fault, FaultKind
from logconf import bind_correlation_id
from logconf.testing import capture_logs
from tests.providers.account import account

__all__ = ["account"]

TRAIL = "trail-of-ana-7"


def said(lines, text, **extra):
    """The correlation IDs of the lines that hold ``text`` and whose extra fields are those."""
    return [
        line.get("correlation_id")
        for line in lines
        if text in line["message"] and extra.items() <= line.get("extra", {}).items()
    ]


async def test_one_id_is_found_in_lines_requests_and_events_to_the_end(autojump_clock, account):
    """Submission, hand-over, looks, cancel, end: lines, headers at the provider and events carry the one ID."""
    with capture_logs(logging.DEBUG) as lines:
        async with account.open() as runtime:
            with bind_correlation_id(TRAIL):
                job = await account.submit("first", queue_seconds=40, seconds=7000)
            await trio.sleep(95)
            with bind_correlation_id("the-one-who-cancels"):
                await runtime.cancel(job.job_id, by="bo")
            assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED
            events = await runtime.event_reader.past_events(job_id=job.job_id)
    fake = account.fake
    creations, looks, cancels = (
        fake.calls("POST", "*/predictions"), fake.calls("GET", "/v1/predictions/*"), fake.calls("POST", "*/cancel")
    )  # fmt: skip
    assert len(creations) == 1
    assert len(looks) >= 3
    assert len(cancels) >= 1
    assert {call.correlation_id for call in (*creations, *looks, *cancels)} == {TRAIL}
    assert said(lines, "Job queued", job_id=job.job_id) == [TRAIL]
    for status in ("queued", "running", "cancelled"):
        assert said(lines, f"Job is now {status}", job_id=job.job_id) == [TRAIL]
    of_the_job = [line for line in lines if line.get("extra", {}).get("job_id") == job.job_id]
    assert {line["correlation_id"] for line in of_the_job} == {TRAIL}
    assert all("cycle_id" in line["extra"] for line in of_the_job if line["message"] == "Job is now running")
    assert {event.correlation_id for event in events} == {TRAIL}
    assert (events[-1].type, events[-1].data["status"]) == ("job_status_changed", "cancelled")


async def test_a_lost_answer_is_searched_for_under_the_same_id(autojump_clock, account):
    account.fake.inject(Fault(FaultKind.LOST_ANSWER, "POST", "*/predictions"))
    async with account.open() as runtime:
        with bind_correlation_id(TRAIL):
            job = await account.submit("first", seconds=5)
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    searched = account.fake.calls("GET", "/v1/predictions")
    assert {call.correlation_id for call in searched} == {TRAIL}


async def test_a_webhook_is_told_under_the_id_of_its_job(autojump_clock, nursery, account):
    """The delivery knows no ID of ours; the line that tells of it, and what follows from it, have the job's."""
    with capture_logs(logging.DEBUG) as lines:
        async with account.open(webhook_url="https://lab.example/api/webhooks/replicate") as runtime:
            app = create_webhook_app(runtime)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:

                async def post(url, headers, body):
                    return (await client.post(url, headers=dict(headers), content=body)).status_code

                deliveries = Deliveries(account.fake, post)
                nursery.start_soon(deliveries.run)
                with bind_correlation_id(TRAIL):
                    job = await account.submit("first", seconds=12)
                ended = await runtime.wait(job.job_id)
        nursery.cancel_scope.cancel()
    assert ended.status is JobStatus.COMPLETED
    assert (ended.completed_at - ended.created_at).total_seconds() < 20  # told, not polled: the beat is 30 s
    assert deliveries.sent.keys() == {200}
    told = said(lines, "A delivery is about job", job_id=job.job_id)
    assert len(told) == sum(deliveries.sent.values())
    assert set(told) == {TRAIL}
    read_back = account.fake.calls("GET", "/v1/predictions/*")
    assert {call.correlation_id for call in read_back} == {TRAIL}
    assert said(lines, "Job is now completed", job_id=job.job_id) == [TRAIL]
