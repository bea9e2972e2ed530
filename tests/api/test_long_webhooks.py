"""Webhooks that are longer than what is kept of them: verified to their end, and then the job is looked at."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.tcp import http_server
from actors.control.deliveries import MOST_KEPT
from actors.jobs.records import JobStatus
from actors.testing.fake_replicate import Fault, FaultKind, RemoteJob, signed
from logconf.testing import capture_logs
from supervision import open_supervisor
from tests.api.webhook_stage import Stage, counted


def long(stage: Stage, remote: RemoteJob, size: int = 3 << 20) -> bytes:
    """What is told of a job that printed a great deal."""
    return stage.told(remote, logs="x" * size)


def looks(stage: Stage) -> int:
    """How often jobs were asked about."""
    return len(stage.fake.calls("GET", "/v1/predictions*"))


async def test_a_success_that_is_too_long_to_be_read_ends_its_job(stage: Stage, autojump_clock: MockClock) -> None:
    """One look at the job, one WARNING under its correlation ID; the same delivery again does nothing."""
    job = await stage.submit(queue_seconds=0, seconds=0.5)
    (remote,) = stage.fake.jobs()
    before = looks(stage)
    with capture_logs() as lines:
        assert (await stage.post(long(stage, remote))).status_code == 200
        assert await stage.end(job) is JobStatus.COMPLETED
        assert (await stage.post(long(stage, remote))).status_code == 200
    assert looks(stage) == before + 1
    (line,) = [line for line in lines if line["level"] == "WARNING"]
    assert f"job {job.job_id}" in line["message"]
    assert str(MOST_KEPT) in line["message"]
    assert line["correlation_id"] == job.correlation_id
    assert (counted(stage, "unreadable"), counted(stage, "repeated")) == (1, 1)


@pytest.mark.parametrize("named", ["token", "nothing"])
async def test_a_long_body_that_does_not_name_its_job_at_once_is_about_one_of_ours(
    stage: Stage, named: str, autojump_clock: MockClock
) -> None:
    """Its address may carry the token of the hand-over; else all jobs there are looked at."""
    job = await stage.submit(queue_seconds=0, seconds=0.5)
    other = await stage.submit(seconds=5000)
    remote = next(one for one in stage.fake.jobs() if one.script.seconds == 0.5)
    before = looks(stage)
    body = b'{"logs": "' + b"x" * MOST_KEPT + b'", "id": "unseen", "status": "succeeded"}'
    query = "?" + (remote.webhook or "").partition("?")[2] if named == "token" else ""
    assert (await stage.post(body, query=query)).status_code == 200
    assert await stage.end(job) is JobStatus.COMPLETED
    assert await stage.status(other) in (JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.UPLOADING)
    assert looks(stage) == before + 1  # one job itself, or one list of all


@pytest.mark.parametrize("size", [100, MOST_KEPT + 1, 3 << 20])
async def test_what_is_not_signed_by_us_is_counted_and_told_to_nobody(
    stage: Stage, size: int, autojump_clock: MockClock
) -> None:
    """However long it is: no look, and no line above DEBUG."""
    await stage.submit(seconds=3000)
    (remote,) = stage.fake.jobs()
    body = long(stage, remote, size)
    headers = signed(stage.fake.secret, "msg_1", stage.clock.now(), body)
    await stage.post(b"{}", {})  # asks for the account's secret
    asked = len(stage.fake.requests)
    with capture_logs(level=logging.INFO) as lines:
        answers = [(await stage.post(body[:-1] + b" ", headers)).status_code for _ in range(5)]
    assert answers == [401] * 5
    assert [line for line in lines if line["logger"] != "httpx"] == []  # the client's own
    assert len(stage.fake.requests) == asked
    assert counted(stage, "rejected") == 6


async def test_a_long_body_signed_with_a_rotated_secret_is_for_the_next_try(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """It is no longer there to be verified anew; the sender repeats it, and then the secret is known."""
    job = await stage.submit(queue_seconds=0, seconds=0.5)
    (remote,) = stage.fake.jobs()
    await stage.post(stage.told(remote, status="starting"), delivery="msg_0")
    stage.fake.rotate_secret()
    await trio.sleep(61)
    body = long(stage, remote)
    first = await stage.post(body, delivery="msg_1")
    assert (first.status_code, first.headers["retry-after"]) == (503, "30")
    assert (await stage.post(body, delivery="msg_1")).status_code == 200
    assert await stage.end(job) is JobStatus.COMPLETED


async def test_the_bound_of_other_bodies_is_not_that_of_webhooks(stage: Stage, autojump_clock: MockClock) -> None:
    """`http.max_body_bytes` holds everywhere else; this route reads up to its own bound."""
    job = await stage.submit(queue_seconds=0, seconds=0.5)
    (remote,) = stage.fake.jobs()
    app = create_app(stage.runtime, HttpOptions(max_body_bytes=1024))
    body = long(stage, remote)
    headers = signed(stage.fake.secret, "msg_1", stage.clock.now(), body)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
        assert (await http.post("/api/webhooks/replicate", content=body, headers=headers)).status_code == 200
        assert (await http.post("/api/jobs", content=body)).status_code == 413
    assert await stage.end(job) is JobStatus.COMPLETED


class Pieces:
    """A body that is sent piece by piece; no generator, which would be left open where the answer comes early."""

    def __init__(self, body: bytes) -> None:
        self.left = body

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.left:
            raise StopAsyncIteration
        piece, self.left = self.left[:65536], self.left[65536:]
        return piece


async def test_long_bodies_over_a_real_connection(stage: Stage, tmp_path: Path) -> None:
    """Ten MiB, more than any other route takes: signed they are taken; else the sender gets to read why not."""
    await stage.submit(seconds=3000)
    (remote,) = stage.fake.jobs()
    body = long(stage, remote, 10 << 20)
    child = http_server(stage.runtime, tmp_path, HttpOptions(port=0))
    async with open_supervisor([child]):
        assert stage.runtime.access.address is not None
        url = f"{stage.runtime.access.address}api/webhooks/replicate"
        async with httpx.AsyncClient() as http:
            headers = signed(stage.fake.secret, "msg_1", stage.clock.now(), body)
            with trio.fail_after(60):
                good = await http.post(url, content=Pieces(body), headers=headers)
                headers["webhook-id"] = "msg_2"
                bad = await http.post(url, content=Pieces(body), headers=headers)
                long_one = await http.post(url, content=Pieces(body * 2), headers=headers)
    assert (good.status_code, bad.status_code, long_one.status_code) == (200, 401, 413)


async def test_a_question_for_the_secret_that_failed_is_not_asked_by_every_stranger(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """Else they would open the circuit breaker for everybody's jobs, and fill the log."""
    stage.fake.inject(Fault(FaultKind.SERVER_ERROR, "GET", "/v1/webhooks/*", times=None))
    body = b'{"id": "abc", "status": "succeeded"}'
    with capture_logs(level=logging.WARNING) as lines:
        answers = [(await stage.post(body, delivery=f"msg_{number}")).status_code for number in range(50)]
    assert answers == [503] * 50
    assert len(stage.fake.calls("GET", "/v1/webhooks/*")) <= 3  # one question, tried three times
    assert len(lines) == 1
    assert counted(stage, "unverified") == 50
    stage.fake.faults.clear()
    await trio.sleep(30)
    assert (await stage.post(body, delivery="msg_0")).status_code == 200
