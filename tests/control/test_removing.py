"""Removing an ended job: all that is its own goes in one transaction, and nothing that others still need (E7)."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, QueueStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.ledger.prune import remove
from actors.providers.errors import Conflict, Unavailable
from actors.providers.scripted import ScriptedProvider
from actors.store.errors import StoreUnavailable
from actors.store.schema import dependencies, ended_parents, metadata, queue_entries, series, submissions
from logconf import bind_correlation_id, get_correlation_id
from logconf.testing import capture_logs

OF_A_JOB = ("jobs", "queue_entries", "submissions", "approvals", "events", "idempotency_keys", "dependencies", "series")


async def rows(runtime: Any, job_id: str) -> dict[str, int]:
    """How many rows of a job each of its tables has."""

    def query(connection: Any) -> dict[str, int]:
        tables = {name: metadata.tables[name] for name in OF_A_JOB}
        return {
            name: connection.execute(select(func.count()).where(table.c.job_id == job_id)).scalar_one()
            for name, table in tables.items()
        }

    return await runtime.ledger.read(query)


async def ended(world: Any, **fields: Any) -> Any:
    job = await world.submit(duration=5, **fields)
    return await world.runtime.wait(job.job_id)


def waits_for(tx: Any, job_id: str, parent: Any, **more: Any) -> None:
    """What the ledger writes for a job that waits for another one."""
    known = {"parent_name": parent.request.config_name, "parent_status": parent.status.value}
    row = {"job_id": job_id, "parent_id": parent.job_id, **known, "parent_completed_at": parent.completed_at, **more}
    tx.connection.execute(insert(dependencies).values(broke=False, **row))


async def test_an_ended_job_goes_with_all_that_is_its_own(autojump_clock, world, caplog):
    caplog.set_level(logging.INFO)
    async with world.open() as runtime:
        job = await world.submit(duration=5, config_name="train", idempotency_key="once", requires_approval="big")
        await runtime.approve("train", by="bo")
        await runtime.wait(job.job_id)
        other = await ended(world)
        await runtime.ledger.write(lambda tx: waits_for(tx, job.job_id, other))
        row = {
            "job_id": job.job_id,
            "attempt": 0,
            "name": "loss",
            "points": b"",
            "summary": {},
            "bytes": 0,
            "updated_at": runtime.clock.now(),
        }
        await runtime.ledger.write(lambda tx: tx.connection.execute(insert(series).values(**row)))
        before = await rows(runtime, job.job_id)
        assert min(before.values()) == 1
        gone = await runtime.removing.remove("train", by="ana")
        assert (gone.job_id, gone.name, gone.keys, gone.left_at) == (job.job_id, "train", 1, None)
        assert gone.events == before["events"]
        assert set((await rows(runtime, job.job_id)).values()) == {0}
        assert (await rows(runtime, other.job_id))["jobs"] == 1
        assert [run.key.startswith(job.job_id) for run in world.remote.runs if run.forgotten] == [True]
        (line,) = [one for one in caplog.records if one.getMessage() == "Job was removed"]
        assert (line.job_id, line.by) == (job.job_id, "ana")
        # Its key is free again, and its name means nobody.
        again = await world.submit(duration=5, idempotency_key="once")
        assert again.job_id != job.job_id
        with pytest.raises(Refused, match="there is no job 'train'"):
            await runtime.removing.remove("train")


async def test_a_job_that_has_not_ended_is_refused(autojump_clock, world):
    async with world.open(limits=Limits(total=0)) as runtime:
        job = await world.submit()
        with pytest.raises(Refused, match=rf"job {job.job_id} has not ended \(pending\); cancel it first"):
            await runtime.removing.remove(job.job_id)
        assert (await rows(runtime, job.job_id))["jobs"] == 1


@pytest.mark.parametrize(
    ("status", "words"), [("pending", "is still pending"), ("blocked", "is still blocked"), ("running", "is running")]
)
async def test_a_job_is_kept_while_one_that_waited_for_it_has_not_ended(autojump_clock, world, status, words):
    """By the pruner, too. Afterwards it goes, and the other still says what it waited for and how that ended."""
    async with world.open(limits=Limits(total=1)) as runtime:
        parent = await ended(world, config_name="first")
        child = await world.submit(duration=10_000, config_name="second")
        await runtime.queue.pause(None, "hold", by="ana")
        await runtime.ledger.write(lambda tx: waits_for(tx, child.job_id, parent))

        def stands(tx: Any, standing: str) -> None:
            tx.connection.execute(
                update(queue_entries).where(queue_entries.c.job_id == child.job_id).values(status=standing)
            )

        await runtime.ledger.write(lambda tx: stands(tx, status))
        with pytest.raises(Refused) as refused:
            await runtime.removing.remove("first")
        assert str(refused.value) == (
            f"job {parent.job_id} is needed: second ({child.job_id}), which waited for it, {words}"
        )
        assert refused.value.kind is RefusalKind.CONFLICT
        later = runtime.clock.now().replace(year=2100)
        assert (await runtime.ledger.write(remove, later, [parent.job_id])).jobs == 0
        await runtime.ledger.write(lambda tx: stands(tx, QueueStatus.CANCELLED.value))
        await runtime.removing.remove("first")

        def kept(connection: Any) -> Any:
            return connection.execute(select(dependencies)).one()._asdict()

        row = await runtime.ledger.read(kept)
        assert (row["parent_id"], row["parent_name"], row["parent_status"]) == (parent.job_id, "first", "completed")
        assert row["parent_completed_at"] == parent.completed_at


async def test_a_job_is_kept_while_its_end_is_passed_on(autojump_clock, world):
    async with world.open() as runtime:
        job = await ended(world)
        row = {"parent_id": job.job_id, "ended_at": job.completed_at}
        await runtime.ledger.write(lambda tx: tx.connection.execute(insert(ended_parents).values(**row)))
        with pytest.raises(Refused, match="its end is still being passed on"):
            await runtime.removing.remove(job.job_id)
        later = runtime.clock.now().replace(year=2100)
        assert (await runtime.ledger.write(remove, later, [job.job_id])).jobs == 0


async def test_a_job_is_kept_while_a_submission_of_it_is_not_settled(autojump_clock, world):
    async with world.open() as runtime:
        job = await ended(world)
        unsettled = update(submissions).where(submissions.c.job_id == job.job_id).values(state="unknown")
        await runtime.ledger.write(lambda tx: tx.connection.execute(unsettled))
        with pytest.raises(Refused, match=rf"what became of its submission {job.job_id}-\S+ is not settled yet"):
            await runtime.removing.remove(job.job_id)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Conflict("its results are being copied"), RefusalKind.CONFLICT), (Unavailable("gone"), RefusalKind.UNAVAILABLE)],
)
async def test_what_its_provider_does_not_let_go_keeps_the_job(autojump_clock, world, monkeypatch, error, kind):
    async with world.open() as runtime:
        job = await ended(world)

        async def forget(_self: Any, _key: str, _handle: Any) -> None:
            raise error

        monkeypatch.setattr(ScriptedProvider, "forget", forget)
        with pytest.raises(Refused, match="scripted cannot remove what it keeps: ") as refused:
            await runtime.removing.remove(job.job_id)
        assert refused.value.kind is kind
        assert (await rows(runtime, job.job_id))["jobs"] == 1


async def test_a_dependant_that_comes_in_between_keeps_the_job(autojump_clock, world, monkeypatch):
    """What was found free is looked at again in the transaction that removes it."""
    async with world.open(limits=Limits(total=1)) as runtime:
        parent = await ended(world, config_name="first")

        async def forget(_self: Any, _key: str, _handle: Any) -> None:
            await runtime.queue.pause(None, "hold", by="ana")
            child = await world.submit(config_name="second")
            await runtime.ledger.write(lambda tx: waits_for(tx, child.job_id, parent))

        monkeypatch.setattr(ScriptedProvider, "forget", forget)
        with pytest.raises(Refused, match="is needed: second"):
            await runtime.removing.remove("first")
        assert (await runtime.jobs.get("first")).job.status is JobStatus.COMPLETED


async def test_a_removal_that_was_cut_off_is_done_again(autojump_clock, world, monkeypatch):
    """After its directory went and before its rows did, the job is there and can be removed again."""
    async with world.open() as runtime:
        job = await ended(world)
        write = runtime.ledger.write

        async def fail(*_args: Any, **_kwargs: Any) -> Any:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(runtime.ledger, "write", fail)
        with pytest.raises(StoreUnavailable):
            await runtime.removing.remove(job.job_id)
        monkeypatch.setattr(runtime.ledger, "write", write)
        assert (await runtime.jobs.get(job.job_id)).job.is_terminal
        assert (await runtime.removing.remove(job.job_id)).job_id == job.job_id
        assert set((await rows(runtime, job.job_id)).values()) == {0}


async def test_what_removes_a_job_stands_under_the_jobs_correlation_id(autojump_clock, world, monkeypatch):
    """The line, and what the provider is asked; the request's own ID is the line's `cycle_id`."""
    asked, forget = [], ScriptedProvider.forget

    async def noted(self, key, handle):
        asked.append(get_correlation_id())
        await forget(self, key, handle)

    monkeypatch.setattr(ScriptedProvider, "forget", noted)
    async with world.open() as runtime:
        job = await ended(world)
        with bind_correlation_id("the-request"), capture_logs() as lines:
            await runtime.removing.remove(job.job_id, by="ana")
        (line,) = [one for one in lines if one["message"] == "Job was removed"]
        assert (line["correlation_id"], line["extra"]["cycle_id"]) == (job.correlation_id, "the-request")
        old = await ended(world)
        world.clock.suspend(timedelta(days=91))
        assert (await runtime.jobs.prune()).jobs == 1
    assert asked == [job.correlation_id, old.correlation_id]
