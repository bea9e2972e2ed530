"""Webhooks in: from a signed request to the job that it is about, and no further for anything else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx
import orjson
import pytest
import trio
from sqlalchemy import text
from trio.testing import MockClock

from actors.api.webhooks import create_webhook_app
from actors.jobs.deliveries import MOST_READ
from actors.jobs.options import PollerOptions
from actors.jobs.records import Job, JobRequest, JobStatus, SubmissionState
from actors.kernel import VirtualClock
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.runtime import Parts, RunningRuntime
from actors.store import submissions
from actors.store.schema import webhook_deliveries
from actors.testing import running_runtime, seeded_sources, virtual_settings
from actors.testing.fake_replicate import (
    TOKEN,
    Deliveries,
    Disorder,
    FakeReplicate,
    FakeTransport,
    Fault,
    FaultKind,
    RemoteJob,
    signed,
)
from logconf.testing import capture_logs

HOOK = "https://greenroom.example/api/webhooks/replicate"


@attrs.define
class Stage:
    """A runtime whose only timed look is its first, the fake at which its jobs run, and a client of its webhooks."""

    clock: VirtualClock
    fake: FakeReplicate
    runtime: RunningRuntime
    http: httpx.AsyncClient

    async def submit(self, **script: Any) -> Job:
        """Submit a job and wait until it was handed over, or its answer was lost."""
        spec = {"model": "ana/model", "input": {"fake": script}}
        job = await self.runtime.submit(JobRequest(provider="replicate", spec=spec, user_id="ana", inherited_env={}))
        await trio.sleep(1)
        assert await self.state(job) is not SubmissionState.INTENT
        return job

    async def state(self, job: Job) -> SubmissionState:
        """What is known of its hand-over."""
        found = await self.runtime.ledger.read(lambda connection: submissions.newest(connection, job.job_id))
        return SubmissionState.INTENT if found is None else found.state

    async def status(self, job: Job) -> JobStatus:
        """Where the job stands here."""
        return (await self.runtime.jobs.get(job.job_id)).job.status

    async def end(self, job: Job) -> JobStatus:
        """Wait until the job has ended here, for a while."""
        with trio.fail_after(600):
            return (await self.runtime.wait(job.job_id)).status

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, delivery: str = "msg_1", query: str = ""
    ) -> httpx.Response:
        """Deliver ``body``, signed by the fake unless ``headers`` are given."""
        chosen = signed(self.fake.secret, delivery, self.clock.now(), body) if headers is None else headers
        return await self.http.post(f"/api/webhooks/replicate{query}", content=body, headers=dict(chosen))

    def told(self, remote: RemoteJob, **changes: Any) -> bytes:
        """What a delivery about that job says now."""
        return orjson.dumps({**self.fake.document(remote), **changes})


@asynccontextmanager
async def staged(**options: Any) -> AsyncIterator[Stage]:
    clock = VirtualClock()
    fake = FakeReplicate(clock.now)
    made = ReplicateOptions(**{"webhook_url": HOOK, **options})
    provider = ReplicateProvider(made, now=clock.now, transport=FakeTransport(fake, latency=0.05))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    settings = virtual_settings(poller=PollerOptions(enabled=False))
    async with running_runtime(settings=settings, parts=parts) as runtime:
        transport = httpx.ASGITransport(app=create_webhook_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url="https://greenroom.example") as http:
            yield Stage(clock, fake, runtime, http)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A runtime that is told by webhooks alone, in virtual time."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with staged() as stage:
        yield stage


def counted(stage: Stage, outcome: str) -> int:
    """How many deliveries came to that outcome."""
    return stage.runtime.tallies.deliveries[outcome]


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


# What is refused.


async def test_what_cannot_be_believed_is_401_and_tells_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    """No signature, somebody else's, another body, an old one, a body that says nothing: one answer for all."""
    body = orjson.dumps({"id": "abc", "status": "succeeded"})
    good = signed(stage.fake.secret, "msg_1", stage.clock.now(), body)
    theirs = signed("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_1", stage.clock.now(), body)
    empty = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"[]")
    answers = [
        await stage.post(body, {}),
        await stage.post(body, theirs),
        await stage.post(body + b" ", good),
        await stage.post(body, {**good, "webhook-id": "msg_2"}),
        await stage.post(b"[]", empty),
    ]
    await trio.sleep(301)
    answers.append(await stage.post(body, good))
    assert [answer.status_code for answer in answers] == [401] * 6
    assert {answer.json()["detail"] for answer in answers} == {"not accepted"}
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_a_doubled_header_is_401(stage: Stage, autojump_clock: MockClock) -> None:
    """Which of two ids was signed is not for us to choose."""
    body = orjson.dumps({"id": "abc", "status": "succeeded"})
    headers = [*signed(stage.fake.secret, "msg_1", stage.clock.now(), body).items(), ("webhook-id", "msg_1")]
    assert (await stage.http.post("/api/webhooks/replicate", content=body, headers=headers)).status_code == 401


async def test_an_unknown_provider_is_404_without_a_hint(stage: Stage, autojump_clock: MockClock) -> None:
    answer = await stage.http.post("/api/webhooks/replicat", content=b"{}")
    assert answer.status_code == 404
    assert "replicate" not in answer.text


async def unannounced(stage: Stage, receive: Callable[[], Awaitable[dict[str, Any]]], *, well: bool = True) -> int:
    """The status that a request gets whose body comes from ``receive`` and whose length nobody announced.

    ``well``: its headers alone do not give it away.
    """
    statuses = []
    headers = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"another body") if well else {}

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    path = "/api/webhooks/replicate"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw}
    await create_webhook_app(stage.runtime)(scope, receive, send)
    return int(statuses[0])


@attrs.define
class Endless:
    """A body without an end, in pieces of ``piece`` bytes; how much of it was ``read``."""

    piece: int
    read: int = 0

    async def receive(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        self.read += self.piece
        return {"type": "http.request", "body": b" " * self.piece, "more_body": True}


async def test_a_body_that_is_too_long_is_413(stage: Stage, autojump_clock: MockClock) -> None:
    """By its announced length, of which nothing is read, and where none is announced by its own."""
    endless = Endless(1 << 20)
    well = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"")
    announced = {**well, "content-length": str(MOST_READ + 1)}
    assert (await stage.http.post("/api/webhooks/replicate", content=b"", headers=announced)).status_code == 413
    assert await unannounced(stage, endless.receive) == 413
    assert endless.read <= MOST_READ + (2 << 20)
    assert counted(stage, "too_long") == 2


async def test_a_body_whose_headers_are_not_to_be_believed_is_not_read(stage: Stage, autojump_clock: MockClock) -> None:
    """Only so much of it is thrown away that the sender of a short one gets to read the answer."""
    endless = Endless(32 << 10)
    assert await unannounced(stage, endless.receive, well=False) == 401
    assert endless.read == 64 << 10
    assert counted(stage, "rejected") == 1


async def test_a_body_that_does_not_come_is_408(stage: Stage, autojump_clock: MockClock) -> None:
    """Nobody holds a place for ever."""

    async def receive() -> dict[str, Any]:
        await trio.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert await unannounced(stage, receive) == 408


async def test_who_cannot_be_verified_now_may_try_again(stage: Stage, autojump_clock: MockClock) -> None:
    """The account cannot be asked for its secret: 503, and the reason stays in the log."""
    stage.fake.inject(Fault(FaultKind.REFUSED, "GET", "/v1/webhooks/*", times=None))
    answer = await stage.post(orjson.dumps({"id": "abc", "status": "succeeded"}))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "webhooks" not in answer.text


# Rotation.


async def test_a_rotated_secret_is_fetched_once_and_then_believed(stage: Stage, autojump_clock: MockClock) -> None:
    """The first delivery with the new one is believed; one with the old one on its way, too."""
    old = stage.fake.secret
    body = orjson.dumps({"id": "abc", "status": "processing"})
    assert (await stage.post(body)).status_code == 200
    stage.fake.rotate_secret()
    await trio.sleep(61)
    assert (await stage.post(body, delivery="msg_2")).status_code == 200
    late = signed(old, "msg_3", stage.clock.now(), body)
    assert (await stage.post(body, late)).status_code == 200
    assert len(stage.fake.calls("GET", "/v1/webhooks/default/secret")) == 2


async def test_false_deliveries_do_not_make_us_ask_each_time(stage: Stage, autojump_clock: MockClock) -> None:
    """A flood of them costs the account one question a minute."""
    for number in range(50):
        assert (await stage.post(b"{}", {"webhook-id": f"msg_{number}"})).status_code == 401
    assert len(stage.fake.calls("GET", "/v1/webhooks/default/secret")) == 1


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


@pytest.mark.parametrize("where", ["answer", "log"])
async def test_no_secret_is_told(
    stage: Stage, where: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Neither to the sender nor to the log."""
    caplog.set_level(logging.DEBUG)
    answer = await stage.post(b"{}", {"webhook-id": "msg_1", "webhook-signature": "v1,AAAA"})
    text = answer.text if where == "answer" else caplog.text
    assert stage.fake.secret not in text
    assert TOKEN not in text
