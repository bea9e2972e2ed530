"""What a provider says of a job after its end: at the job, in its events, and its status stays."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from sqlalchemy import text
from trio.testing import MockClock

from actors.jobs.records import JobStatus
from actors.kernel import VirtualClock
from actors.ledger.remarks import note_remark
from actors.providers.abilities import Remark
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.store import StoreError
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

TEXT = "its results were not copied: replicate.delivery answered 404 for a result"


@asynccontextmanager
async def remarking_runtime() -> AsyncIterator[tuple[RunningRuntime, trio.MemorySendChannel[Remark]]]:
    """A runtime with one provider, and the channel by which that provider makes its remarks."""
    clock = VirtualClock()
    send, receive = trio.open_memory_channel[Remark](10)
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    provider.remarks = receive  # type: ignore[attr-defined]
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    async with running_runtime(settings=virtual_settings(), parts=parts) as runtime:
        yield runtime, send


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ({}, JobStatus.COMPLETED, TEXT),
        ({"result": "failed", "error": "out of memory"}, JobStatus.FAILED, f"out of memory; {TEXT}"),
    ],
)
async def test_a_remark_is_shown_at_its_job(
    spec: dict[str, str], status: JobStatus, said: str, autojump_clock: MockClock
) -> None:
    """Once, however often it is made; one about nobody's job changes nothing."""
    async with remarking_runtime() as (runtime, send):
        job = await runtime.wait((await runtime.submit(request(duration=5, **spec))).job_id)
        ended = dict(runtime.tallies.ended)
        for key in ("nobody-1", f"{job.job_id}-1", f"{job.job_id}-1"):
            send.send_nowait(Remark(key, TEXT))
        await trio.sleep(1)
        after = (await runtime.jobs.get(job.job_id)).job
        assert (after.status, after.completed_at, after.error_message) == (status, job.completed_at, said)
        events = [
            event for event in await runtime.event_reader.past_events(job_id=job.job_id) if "results" in event.type
        ]
        assert [(event.type, event.data["reason"]) for event in events] == [("job_results_not_copied", TEXT)]
        assert dict(runtime.tallies.ended) == ended


async def test_a_remark_that_cannot_be_kept_is_logged_and_the_next_one_is_kept(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with remarking_runtime() as (runtime, send):
        job = await runtime.wait((await runtime.submit(request(duration=5))).job_id)

        async def fails(*_: object) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(runtime.ledger, "write", fails)
            send.send_nowait(Remark(f"{job.job_id}-1", "lost"))
            await trio.sleep(0.1)
        logged = [one for one in caplog.records if one.message == "A remark about a job was not kept: the disk is full"]
        assert [one.submission for one in logged] == [f"{job.job_id}-1"]  # type: ignore[attr-defined]
        send.send_nowait(Remark(f"{job.job_id}-1", TEXT))
        await trio.sleep(0.1)
        assert (await runtime.jobs.get(job.job_id)).job.error_message == TEXT


async def test_what_is_kept_of_remarks_is_their_first_two_thousand_characters(autojump_clock: MockClock) -> None:
    async with remarking_runtime() as (runtime, send):
        job = await runtime.wait((await runtime.submit(request(duration=5))).job_id)
        send.send_nowait(Remark(f"{job.job_id}-1", "x" * 1_999 + "yz"))
        await trio.sleep(1)
        assert (await runtime.jobs.get(job.job_id)).job.error_message == "x" * 1_999 + "y"
        (event,) = [one for one in await runtime.event_reader.past_events(job_id=job.job_id) if "results" in one.type]
        assert event.data["reason"] == "x" * 1_999 + "y"


async def test_a_remark_about_a_job_whose_row_is_damaged_changes_nothing(autojump_clock: MockClock) -> None:
    async with remarking_runtime() as (runtime, _):
        damaged, job = [await runtime.wait((await runtime.submit(request(duration=5))).job_id) for _ in range(2)]
        spoil = text("UPDATE jobs SET request = '{' WHERE job_id = :id")
        await runtime.ledger.write(lambda tx: tx.connection.execute(spoil, {"id": damaged.job_id}))
        events = len(await runtime.event_reader.past_events())
        await runtime.ledger.write(note_remark, f"{damaged.job_id}-1", TEXT)
        assert len(await runtime.event_reader.past_events()) == events
        await runtime.ledger.write(note_remark, f"{job.job_id}-1", TEXT)
        assert (await runtime.jobs.get(job.job_id)).job.error_message == TEXT
