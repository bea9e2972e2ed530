"""Two that want to change the same job at the same time: one winner, one event, 200 interleavings each.

Each interleaving is drawn from a seed by trio's own scheduler and by small random waits; all run on a real file.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalStatus, Capacity, JobStatus, Observation, Phase
from actors.jobs.refusal import Refused
from actors.kernel import VirtualClock
from actors.ledger import Ledger, NewJob
from actors.ledger.approvals import approve, cancel, expire
from actors.ledger.dispatch import hand_over
from actors.ledger.observe import record
from actors.store import InlineExecutor, Store
from actors.store import events as event_rows
from actors.store import jobs as job_rows
from actors.testing import request, seeded_sources

SEEDS = range(200)

pytestmark = pytest.mark.parts


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A database of the newest revision, made once: copies of it begin empty."""
    path = tmp_path_factory.mktemp("template") / "empty.db"

    async def make():
        store = Store(path, executor=InlineExecutor(), now=VirtualClock().now)
        await store.open()
        await store.aclose()

    trio.run(make)
    return path


async def a_ledger(path: Path, clock: VirtualClock, seed: int, *, limits: Limits | None = None) -> Ledger:
    store = Store(path, executor=InlineExecutor(), now=clock.now)
    await store.open()
    return Ledger(
        store, publish=lambda _event: None, limits=limits or Limits(), approvals=ApprovalOptions(),
        sources=seeded_sources(seed),
    )  # fmt: skip


async def in_any_order(seed, *tasks):
    """Run ``tasks`` together after random waits; what each returned or how it was refused."""
    draw = random.Random(seed)
    results: list[object] = [None] * len(tasks)

    async def run(index, task):
        await trio.sleep(draw.choice([0, 0, 0, 0.001, 0.002]))
        for _ in range(draw.randrange(4)):
            await trio.lowlevel.checkpoint()
        try:
            results[index] = await task()
        except Refused as refused:
            results[index] = refused

    async with trio.open_nursery() as nursery:
        for index in draw.sample(range(len(tasks)), len(tasks)):
            nursery.start_soon(run, index, tasks[index])
    return results


async def told(ledger):
    return await ledger.read(lambda connection: event_rows.after(connection, 0, limit=100_000))


@pytest.mark.parametrize("block", range(10))
async def test_approve_against_expire(autojump_clock, tmp_path, template, block):
    for seed in SEEDS[block * 20 : block * 20 + 20]:
        clock = VirtualClock()
        shutil.copy(template, tmp_path / f"{seed}.db")
        ledger = await a_ledger(tmp_path / f"{seed}.db", clock, seed)
        other = await a_ledger(tmp_path / f"{seed}.db", clock, seed + 1000)
        (accepted,) = await ledger.submit([NewJob(request(requires_approval="x"), "c")])
        id_ = accepted.approval.approval_id
        clock.move(timedelta(hours=24) - timedelta(seconds=0.0005 * random.Random(seed).randrange(5)))
        granted, expired = await in_any_order(
            seed,
            lambda: ledger.write(approve, id_, by="bo", level="admin", self_approval=True),
            lambda: other.write(expire, id_),
        )
        await trio.sleep(0.01)
        await ledger.write(expire, id_)
        (job, *_), _more = await ledger.read(lambda connection: job_rows.page(connection))
        kinds = Counter(event.type for event in await told(ledger))
        assert kinds["approval_granted"] + kinds["approval_expired"] == 1
        if kinds["approval_granted"]:
            assert granted.status is ApprovalStatus.APPROVED
            assert job.status is JobStatus.PENDING
            assert expired is False
        else:
            assert isinstance(granted, Refused)
            assert job.status is JobStatus.CANCELLED
        await close(ledger, other)


@pytest.mark.parametrize("block", range(10))
async def test_cancel_against_completion(autojump_clock, tmp_path, template, block):
    for seed in SEEDS[block * 20 : block * 20 + 20]:
        clock = VirtualClock()
        shutil.copy(template, tmp_path / f"{seed}.db")
        ledger = await a_ledger(tmp_path / f"{seed}.db", clock, seed)
        other = await a_ledger(tmp_path / f"{seed}.db", clock, seed + 1000)
        await ledger.submit([NewJob(request(), "c")])
        (dispatch,) = (await ledger.claim({"scripted": Capacity()})).dispatches
        key, job_id = dispatch.submission.key, dispatch.pair.job.job_id
        await ledger.write(hand_over, key, {}, Observation(Phase.RUNNING, "running"))
        await in_any_order(
            seed,
            lambda: ledger.write(cancel, job_id, by="bo", level="admin"),
            lambda: other.write(record, {key: Observation(Phase.SUCCEEDED, "succeeded")}),
            lambda: ledger.write(record, {key: Observation(Phase.CANCELED, "canceled")}),
        )
        ends = [event for event in await told(ledger) if event.data.get("status") in ("completed", "cancelled")]
        (job, *_), _more = await ledger.read(lambda connection: job_rows.page(connection))
        assert len(ends) == 1
        assert job.status.value == ends[0].data["status"]
        await close(ledger, other)


@pytest.mark.parametrize("block", range(10))
async def test_two_schedulers_on_one_file(autojump_clock, tmp_path, template, block):
    """Each job is claimed once, and no limit is exceeded, however the two interleave."""
    limits = Limits(total=3, per_user=2, per_organisation=2)
    for seed in SEEDS[block * 20 : block * 20 + 20]:
        clock = VirtualClock()
        shutil.copy(template, tmp_path / f"{seed}.db")
        ledgers = [await a_ledger(tmp_path / f"{seed}.db", clock, seed + 1000 * n, limits=limits) for n in (0, 1)]
        new = [NewJob(request(user_id=f"u{n % 3}", org_id=f"o{n % 2}"), f"c{n}") for n in range(8)]
        await ledgers[0].submit(new)
        claimed: list[str] = []

        async def work(ledger, claimed=claimed):
            for _ in range(6):
                for dispatch in (await ledger.claim({"scripted": Capacity()})).dispatches:
                    claimed.append(dispatch.pair.job.job_id)
                    await holds(ledger, limits)
                    await ledger.write(hand_over, dispatch.submission.key, {}, Observation(Phase.RUNNING, "running"))
                    await ledger.write(record, {dispatch.submission.key: Observation(Phase.SUCCEEDED, "succeeded")})

        await in_any_order(seed, *(lambda ledger=ledger: work(ledger) for ledger in ledgers))
        assert sorted(claimed) == sorted(set(claimed))
        assert len(claimed) == 8
        numbers = [event.seq for event in await told(ledgers[0])]
        assert numbers == list(range(1, len(numbers) + 1))
        await close(*ledgers)


async def holds(ledger, limits):
    """Whether the limits hold, in one snapshot."""
    running, _more = await ledger.read(
        lambda connection: job_rows.page(connection, statuses=[JobStatus.UPLOADING, JobStatus.RUNNING])
    )
    assert len(running) <= limits.total
    assert max(Counter(job.request.user_id for job in running).values()) <= limits.per_user
    assert max(Counter(job.request.org_id for job in running).values()) <= limits.per_organisation


async def close(*ledgers):
    for ledger in ledgers:
        await ledger.store.aclose()
