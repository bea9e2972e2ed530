"""Deliveries in bad moments, to a runtime that asks nothing on a timer: the job ends all the same."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest, JobStatus, SubmissionState
from actors.ledger.queries import in_flight_at
from actors.store.errors import StoreBusy
from actors.testing.fake_replicate import TOKEN, Fault, FaultKind
from tests.api.webhook_stage import Stage, counted, staged

UNREADABLE = b'{"id": "%s", "status": 1, "status": 2}'


@pytest.mark.parametrize("has_token", [True, False])
async def test_a_job_that_ends_before_the_answer_to_its_submission_has_come_has_ended(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, has_token: bool
) -> None:
    """The answer, which is older than the delivery, says that it starts."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with staged() as stage:
        stage.fake.inject(Fault(FaultKind.DRIP, "POST", "/v1/models/*", seconds=0.01))
        spec = {"model": "ana/model", "input": {"fake": {"seconds": 0.1}}}
        job = await stage.runtime.submit(
            JobRequest(provider="replicate", spec=spec, user_id="ana", inherited_env={})
        )  # fmt: skip
        await trio.sleep(1)
        assert await stage.state(job) is SubmissionState.INTENT
        (remote,) = stage.fake.jobs()
        assert remote.webhook is not None
        query = "?" + remote.webhook.partition("?")[2] if has_token else ""
        assert (await stage.post(stage.told(remote), query=query)).status_code == 200
        assert counted(stage, "unmatched") == 1
        assert await stage.end(job) is JobStatus.COMPLETED


async def deliver_what_cannot_be_read(stage: Stage) -> None:
    (remote,) = stage.fake.jobs()
    assert (await stage.post(UNREADABLE % remote.id.encode())).status_code == 200


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.HANG, FaultKind.GARBAGE])
async def test_a_read_after_a_delivery_that_failed_is_made_again(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, kind: FaultKind
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with staged() as stage:
        job = await stage.submit(seconds=20)
        await trio.sleep(30)
        stage.fake.inject(Fault(kind, "GET", "/v1/predictions/*"))
        await deliver_what_cannot_be_read(stage)
        assert await stage.end(job) is JobStatus.COMPLETED


async def test_a_read_after_a_delivery_is_made_again_when_the_store_was_busy(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with staged() as stage:
        job = await stage.submit(seconds=20)
        await trio.sleep(30)
        real, busy = stage.runtime.ledger.read, [StoreBusy("another process writes")]

        async def read(asked: Any, *args: Any, **kwargs: Any) -> Any:
            if asked is in_flight_at and busy:
                raise busy.pop()
            return await real(asked, *args, **kwargs)

        monkeypatch.setattr(stage.runtime.ledger, "read", read)
        await deliver_what_cannot_be_read(stage)
        assert await stage.end(job) is JobStatus.COMPLETED
    assert not busy
