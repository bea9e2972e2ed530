"""Rows are read leniently: one from another version is read, a damaged one is reported once and blocks no other."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
import trio
from sqlalchemy import text

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule, Job, JobRequest, Resources
from actors.jobs.retention import Hold
from actors.ledger.approvals import expire
from actors.providers.scripted import ScriptedOptions
from actors.store import holds, jobs, rows, runtime_settings
from actors.store.errors import DamagedRow
from actors.store.types import Damaged

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
JOB = {
    "job_id": "one", "status": "running", "provider": "local", "correlation_id": "c", "created_at": NOW,
    "updated_at": NOW, "request": {"provider": "local", "command": ["true"], "resources": {"cpus": 2}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_reported", set())


def test_a_field_more_is_ignored_and_a_missing_one_has_its_default():
    newer = {**JOB, "notes": "of a later version", "request": {**JOB["request"], "partition": "a100"}}
    found = rows.read(Job, newer)
    assert found.request == JobRequest(command=("true",), resources=Resources(cpus=2))
    assert found.version == 1
    rule = rows.read(ApprovalRule, {"name": "big", "condition": "cost_over", "value": 5, "exempt_levels": ["lead"]})
    assert (rule.value, rule.exempt_levels, rule.is_active) == (5, ("lead",), True)


async def test_a_hold_of_another_version_is_read(world, autojump_clock):
    """One of 0.1.0, whose WARNING had another name, and one with a field more."""
    async with world.open(options=ScriptedOptions()) as runtime:
        row = {"reason": "a leap", "began_at": NOW.isoformat(), "ran": 60.0, "over": False}
        for more in ({"told": True}, {"warned": True, "place": "of a later version"}):
            await runtime._store.write(
                lambda tx, more=more: runtime_settings.put(tx.connection, "retention.hold", {**row, **more}, NOW, None)
            )
            assert await runtime.ledger.read(holds.read) == Hold("a leap", NOW, 60.0, warned=True)


def test_the_maxima_of_requests_do_not_apply():
    long = {**JOB, "request": {"config_name": "x" * 100_000}}
    assert len(rows.read(Job, long).request.config_name or "") == 100_000


@pytest.mark.parametrize(
    "damage",
    [
        {"status": "exploded"},
        {"request": Damaged()},
        {"request": [1]},
        {"request": {"resources": 7}},
        {"request": {"after_mode": "any"}},
        {"request": {"best": {"loss": "least"}}},
    ],
    ids=["an unknown status", "no JSON", "JSON of another shape", "a part of another shape", "no mode", "no goal"],
)
def test_a_damaged_row_is_left_out_and_reported_once(damage, caplog):
    other = {**JOB, "job_id": "two"}
    for _ in range(2):
        assert [job.job_id for job in rows.read_all(Job, [{**JOB, **damage}, other])] == ["two"]
    assert [(one.levelno, "Job one" in one.getMessage()) for one in caplog.records] == [(logging.ERROR, True)]
    with pytest.raises(DamagedRow, match="Job one"):
        rows.read(Job, {**JOB, **damage})


async def damage(runtime, job_id, change="jobs SET request = '{'"):
    def spoil(tx):
        tx.connection.execute(text(f"UPDATE {change} WHERE job_id = :id"), {"id": job_id})

    await runtime._store.write(spoil)


async def test_a_job_whose_row_was_damaged_hides_and_holds_up_no_other(world, autojump_clock, caplog):
    """At every look: the list, the scheduler, the poller. The damaged job itself is an error that names it."""
    async with world.open(options=ScriptedOptions()) as runtime:
        damaged, running = await world.submit(duration=60), await world.submit(duration=60)
        await damage(runtime, damaged.job_id)
        later = await world.submit(duration=1)
        assert (await runtime.wait(later.job_id)).status == "completed"
        assert (await runtime.wait(running.job_id)).status == "completed"
        assert damaged.job_id not in await runtime.ledger.read(lambda one: jobs.get_many(one, [damaged.job_id]))
        with pytest.raises(DamagedRow, match=damaged.job_id):
            await runtime.ledger.read(lambda one: jobs.get(one, damaged.job_id))
    reported = [one for one in caplog.records if one.levelno >= logging.ERROR and damaged.job_id in one.getMessage()]
    assert len(reported) == 1


async def test_a_damaged_job_that_waits_keeps_the_only_slot_from_no_other(world, autojump_clock):
    """The one behind it in its lane starts when the slot is free, and not at a later look."""
    async with world.open(options=ScriptedOptions(), limits=Limits(total=1)) as runtime:
        running = await world.submit(duration=60)
        damaged, behind = await world.submit(duration=60), await world.submit(duration=1)
        await damage(runtime, damaged.job_id)
        assert (await runtime.wait(running.job_id)).status == "completed"
        ended = await runtime.wait(behind.job_id)
        assert (ended.started_at - running.created_at).total_seconds() < 70
        with pytest.raises(DamagedRow, match=damaged.job_id):
            await runtime.jobs.get(damaged.job_id)


async def test_an_approval_whose_job_was_damaged_holds_up_no_other(world, autojump_clock, monkeypatch):
    """The sweep ends the others' requests, and tries the damaged one's again after a pause, not at once."""
    tried = []

    def counted(tx, approval_id):
        tried.append(approval_id)
        return expire(tx, approval_id)

    monkeypatch.setattr("actors.expiry.expire", counted)
    options = ApprovalOptions(timeout_hours=1)
    async with world.open(options=ScriptedOptions(), approvals=options) as runtime:
        damaged = await world.submit(requires_approval="big")
        other = await world.submit(requires_approval="big")
        await damage(runtime, damaged.job_id)
        assert (await runtime.wait(other.job_id)).status == "cancelled"
        await trio.sleep(60)
        assert 10 <= len(tried) <= 20


async def test_a_damaged_queue_entry_hides_and_holds_up_no_other(world, autojump_clock, caplog):
    """Its job is in no list; the job behind it in the lane runs, and so does one that waits for the same slot."""
    async with world.open(options=ScriptedOptions(), limits=Limits(total=1)) as runtime:
        running = await world.submit(duration=60)
        damaged, behind = await world.submit(duration=60), await world.submit(duration=1)
        await damage(runtime, damaged.job_id, "queue_entries SET max_attempts = 'many'")
        assert [view.job.job_id for view in (await runtime.queue.view()).waiting] == [behind.job_id]
        assert (await runtime.wait(running.job_id)).status == "completed"
        assert (await runtime.wait(behind.job_id)).status == "completed"
        assert damaged.job_id not in [view.job.job_id for view in await runtime.jobs.page()]
        with pytest.raises(DamagedRow, match=f"QueueEntry {damaged.job_id}"):
            await runtime.jobs.get(damaged.job_id)
    errors = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [damaged.job_id in one.getMessage() for one in errors] == [True]


async def test_a_damaged_approval_request_hides_and_holds_up_no_other(world, autojump_clock, caplog):
    """The others are listed, decided and ended at their deadlines; a decision on it is an error that names it."""
    async with world.open(options=ScriptedOptions(), approvals=ApprovalOptions(timeout_hours=1)) as runtime:
        damaged, granted, expired = [await world.submit(requires_approval="big") for _ in range(3)]
        kept = (await runtime.approvals.get(damaged.job_id)).approval_id
        await damage(runtime, damaged.job_id, "approvals SET status = 'perhaps'")
        listed = [one.job_id for one in await runtime.approvals.page()]
        assert sorted(listed) == sorted([granted.job_id, expired.job_id])
        await runtime.approve(granted.job_id, by="cy")
        assert (await runtime.wait(granted.job_id)).status == "completed"
        assert (await runtime.wait(expired.job_id)).status == "cancelled"
        with pytest.raises(DamagedRow, match=f"ApprovalRequest {kept}"):
            await runtime.approve(kept, by="cy")
        assert (await runtime.jobs.get(damaged.job_id)).job.status == "pending"
    errors = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [kept in one.getMessage() for one in errors] == [True]


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [("request = '{'", "request = :request"), ("provider = 'another'", "provider = 'scripted'")],
)
async def test_a_waiting_job_whose_row_was_mended_starts_within_the_hour(world, autojump_clock, caplog, spoil, mend):
    """Tried once an hour, so that it costs the others nothing; what is wrong is reported once."""
    async with world.open(options=ScriptedOptions(), limits=Limits(total=1)) as runtime:
        running = await world.submit(duration=60)
        damaged = await world.submit(duration=1)
        read = text("SELECT request FROM jobs WHERE job_id = :id")
        request = await runtime._store.read(lambda one: one.execute(read, {"id": damaged.job_id}).scalar_one())
        await damage(runtime, damaged.job_id, f"jobs SET {spoil}")
        await runtime.wait(running.job_id)
        await trio.sleep(10)

        def mended(tx):
            known = {"id": damaged.job_id} | ({"request": request} if ":request" in mend else {})
            tx.connection.execute(text(f"UPDATE jobs SET {mend} WHERE job_id = :id"), known)

        await runtime._store.write(mended)
        ended = await runtime.wait(damaged.job_id)
        assert ended.status == "completed"
        assert 3_600 <= (ended.started_at - running.created_at).total_seconds() < 3_700
    errors = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [damaged.job_id in one.getMessage() for one in errors] == [True]
