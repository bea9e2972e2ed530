"""The poller: what is asked, when, and what one answer may change (B3 to B7, B13, B14, B17)."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobStatus, Observation, Phase
from actors.ledger.observe import record
from actors.ledger.queries import in_flight_at
from actors.poller.actor import FAULTY_CYCLES, decide_polling
from actors.providers.base import Capabilities, Listing, Push
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind, Refusal
from actors.testing import request
from tests.runtime_fixtures import fail_reading

SILENT = ScriptedOptions(push=Push.NONE)
WIDE = Limits(total=1000, per_user=1000)


def seconds_of(world, name):
    """The moments of the calls of that name, in seconds since the remote was opened."""
    start = world.remote._opened_at
    return [(call.at - start).total_seconds() for call in world.remote.calls_of(name)]


async def test_jobs_are_asked_about_at_0_30_60_seconds(autojump_clock, world, caplog):
    caplog.set_level(logging.DEBUG, "actors.poller")
    async with world.open(options=SILENT):
        await world.submit(duration=1000)
        await trio.sleep(95)
    assert seconds_of(world, "observe") == [30.0, 60.0, 90.0]  # at 0 s there was nothing to ask about
    assert [r.message for r in caplog.records if r.message.startswith("Synced")] == [
        "Synced 0 active jobs", "Synced 1 active jobs", "Synced 1 active jobs", "Synced 1 active jobs",
    ]  # fmt: skip
    assert [r.levelname for r in caplog.records if r.message == "Starting job status polling"] == ["INFO"]


async def test_new_progress_is_an_event_that_shows_it(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=80, progress=8)
        await runtime.wait(job.job_id)
        shown = [one.data for one in await world.events() if one.type == "job_progress"]
    assert [(one["status"], one["progress"]["step"]) for one in shown] == [("running", 3), ("running", 6)]


async def test_the_interval_is_a_setting(autojump_clock, world):
    async with world.open(options=SILENT, poller=PollerOptions(interval_seconds=7)):
        await world.submit(duration=1000)
        await trio.sleep(22)
    assert seconds_of(world, "observe") == [7.0, 14.0, 21.0]


async def test_all_active_jobs_are_read_in_as_few_requests_as_the_provider_allows(autojump_clock, world):
    """Not the newest hundred, not one request each."""
    async with world.open(options=SILENT, limits=WIDE):
        for _ in range(120):
            await world.submit(duration=1000)
        await trio.sleep(31)
        asked = world.remote.calls_of("observe")
        assert len(asked) == 1
        assert len(asked[0].keys) == 120


async def test_a_slow_provider_delays_no_other_and_rounds_never_overlap(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    other = ScriptedRemote(world.clock.now)
    world.remote.inject(Fault(FaultKind.HANG, ("observe",), times=None))
    async with world.open(options=SILENT, others=[ScriptedProvider(SILENT, other, "other")], limits=WIDE) as runtime:
        await world.submit(duration=1000)
        quick = await runtime.submit(request("other", duration=40))
        done = await runtime.wait(quick.job_id)
        assert done.completed_at - quick.created_at == timedelta(seconds=40)
        await trio.sleep(60)
    gaps = [b - a for a, b in zip(seconds_of(world, "observe"), seconds_of(world, "observe")[1:], strict=False)]
    assert min(gaps) >= 20  # the deadline of one call
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings
    assert all(record.provider == "scripted" for record in warnings)


async def test_an_event_for_each_change_and_none_without(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=100, queue_time=40)
        await runtime.wait(job.job_id)
        told = [(event.type, event.data.get("status")) for event in await world.events(job.job_id)]
    assert told == [
        ("job_queued", "pending"), ("job_dispatched", "uploading"), ("job_handed_over", "uploading"),
        ("job_status_changed", "queued"), ("job_status_changed", "running"), ("job_status_changed", "completed"),
    ]  # fmt: skip


async def test_events_are_numbered_without_a_gap(autojump_clock, world):
    async with world.open(limits=WIDE) as runtime:
        jobs = [await world.submit(duration=3 + number) for number in range(20)]
        await runtime.cancel(jobs[3].job_id)
        for job in jobs:
            await runtime.wait(job.job_id)
        numbers = [event.seq for event in await world.events()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_an_unknown_status_keeps_the_old_one_with_a_warning(autojump_clock, world, caplog):
    caplog.set_level(logging.WARNING)
    world.remote.inject(Fault(FaultKind.UNKNOWN_STATUS, ("observe",), times=2))
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=70)
        await trio.sleep(61)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.RUNNING
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    assert any("unknown status" in record.message for record in caplog.records)


async def test_a_job_that_could_not_be_read_is_told_at_debug(autojump_clock, world, caplog):
    caplog.set_level(logging.DEBUG, "actors.poller")
    async with world.open(options=ScriptedOptions(push=Push.NONE, listing=Listing.NONE), limits=WIDE) as runtime:
        job = await world.submit(duration=1000, faults={"observe": [{"kind": "refused"}]})
        await trio.sleep(31)
        failed = [record for record in caplog.records if record.message.startswith("Failed to sync job")]
        assert [(record.levelname, record.job_id) for record in failed] == [("DEBUG", job.job_id)]
        assert failed[0].message.startswith(f"Failed to sync job {job.job_id}")
        await runtime.cancel(job.job_id)


async def test_a_revoked_token_is_a_warning_with_the_provider(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open(options=SILENT):
        await world.submit(duration=1000)
        await trio.sleep(1)
        world.remote.inject(Fault(FaultKind.REFUSED, ("observe",), refusal=Refusal.AUTH, times=None))
        await trio.sleep(31)
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warned
    assert all(record.provider == "scripted" for record in warned)


async def test_faults_of_the_cycle_are_errors_and_five_in_a_row_fail_the_poller(
    autojump_clock, world, caplog, monkeypatch
):
    caplog.set_level(logging.INFO)
    async with world.open(options=SILENT) as runtime:
        await trio.sleep(1)
        fail_reading(monkeypatch, runtime, in_flight_at)
        await trio.sleep(30 * 4)
        errors = [record for record in caplog.records if record.message == "Error in job polling"]
        assert len(errors) == 4
        assert all(record.levelname == "ERROR" and record.exc_info for record in errors)
        actors = next(node for node in runtime.tree.describe() if node["id"] == "actors")["children"]
        assert [node["restarts"] for node in actors] == [0, 0, 0]
        await trio.sleep(30)
        monkeypatch.undo()
        await trio.sleep(1)
        actors = next(node for node in runtime.tree.describe() if node["id"] == "actors")["children"]
        assert [node["restarts"] for node in actors] == [0, 1, 0]
        job = await world.submit(duration=3)
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_the_poller_that_was_restarted_stands_five_faulty_cycles_again(
    autojump_clock, world, caplog, monkeypatch
):
    async with world.open(options=SILENT) as runtime:
        fail_reading(monkeypatch, runtime, in_flight_at)
        await runtime.tree.restart("poller")
        caplog.clear()
        await trio.sleep(30 * 4 - 1)
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
            "Error in job polling"
        ] * 4
        monkeypatch.undo()


async def test_a_fault_of_a_look_after_an_event_is_an_error_and_fails_nobody(
    autojump_clock, world, caplog, monkeypatch
):
    async with world.open(options=SILENT) as runtime:
        await trio.sleep(1)
        fail_reading(monkeypatch, runtime, in_flight_at)
        for _ in range(FAULTY_CYCLES):
            runtime.recheck("scripted", "job-1")
            await trio.sleep(1)
        errors = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [(record.message, record.provider) for record in errors] == [
            ("Error in job polling", "scripted")
        ] * FAULTY_CYCLES
        monkeypatch.undo()
        job = await world.submit(duration=3)
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED


async def test_a_late_answer_cannot_undo_a_terminal_state(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=5)
        ended = await runtime.wait(job.job_id)
        key = (await runtime.jobs.get(job.job_id)).submission.key
        before = len(await world.events())
        for phase in (Phase.RUNNING, Phase.FAILED, Phase.CANCELED, Phase.QUEUED):
            await runtime.ledger.write(record, {key: Observation(phase, phase.value)})
        assert (await runtime.jobs.get(job.job_id)).job == ended
        assert len(await world.events()) == before


async def test_a_step_back_is_ignored_and_an_absent_value_overwrites_nothing(autojump_clock, world):
    async with world.open(options=SILENT) as runtime:
        job = await world.submit(duration=1000)
        await trio.sleep(1)
        key = (await runtime.jobs.get(job.job_id)).submission.key
        await runtime.ledger.write(record, {key: Observation(Phase.RUNNING, "running", cost_usd=2.5)})
        await runtime.ledger.write(record, {key: Observation(Phase.QUEUED, "queued")})
        after = (await runtime.jobs.get(job.job_id)).job
        assert (after.status, after.cost_usd) == (JobStatus.RUNNING, 2.5)
        assert after.started_at is not None


# Whether to poll at all.


LOCAL = Capabilities(push=Push.LOCAL_EVENT)
REMOTE = Capabilities(push=Push.WEBHOOK)


@pytest.mark.parametrize(
    ("enabled", "providers", "webhooks", "polled", "active"),
    [
        (None, {"local": LOCAL}, {}, {"local"}, True),
        (None, {"cloud": REMOTE}, {}, {"cloud"}, True),
        (None, {"cloud": REMOTE}, {"cloud": "https://x"}, set(), False),
        (None, {"cloud": REMOTE, "local": LOCAL}, {"cloud": "https://x"}, {"local"}, False),
        (None, {"cloud": REMOTE, "other": REMOTE}, {"cloud": "https://x"}, {"other"}, True),
        (True, {"cloud": REMOTE}, {"cloud": "https://x"}, {"cloud"}, True),
        (False, {"cloud": REMOTE, "local": LOCAL}, {}, set(), False),
    ],
)
def test_when_providers_are_polled(enabled, providers, webhooks, polled, active):
    switch = decide_polling(enabled, providers, webhooks)
    assert (switch.polled, switch.active) == (frozenset(polled), active)


async def test_switched_off_is_one_line_and_no_request_while_cancels_go_on(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open(options=SILENT, poller=PollerOptions(enabled=False)) as runtime:
        job = await world.submit(duration=100_000)
        await trio.sleep(300)
        assert world.remote.calls_of("observe") == []
        assert not runtime.is_polling_active
        await runtime.cancel(job.job_id)
        assert (await runtime.wait(job.job_id)).status is JobStatus.CANCELLED
    lines = [record.message for record in caplog.records if record.name == "actors.poller"]
    assert lines == ["Timed status checks are off: switched off in the configuration"]


@pytest.mark.parametrize("enabled", [True, False])
async def test_who_has_it_decided_anew_hears_whether_polling_is_on_and_it_begins_at_once(
    autojump_clock, world, enabled
):
    async with world.open(options=SILENT, poller=PollerOptions(enabled=enabled)) as runtime:
        await world.submit(duration=1000)
        await trio.sleep(10)
        assert await runtime.refresh_polling_state() is enabled
        await trio.sleep(1)
    assert seconds_of(world, "observe") == ([10.0] if enabled else [])


async def test_the_safety_net_asks_about_a_webhook_providers_silent_jobs(autojump_clock, world):
    async with world.open(options=SILENT, poller=PollerOptions(enabled=False, safety_net_seconds=300)) as runtime:
        job = await world.submit(duration=1000)
        await trio.sleep(295)
        assert world.remote.calls_of("observe") == []
        assert (await runtime.wait(job.job_id)).status is JobStatus.COMPLETED
    assert seconds_of(world, "observe") == [300.0, 600.0, 900.0, 1200.0]
