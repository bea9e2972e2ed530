"""What it costs to watch thousands of jobs at Replicate: a poller cycle, compared with one GET per job in sequence.

    python benchmarks/bench_poller.py [--jobs 10000] [--rounds 5] [--json]

The jobs are active at the fake Replicate of ``actors.testing``, which serves real HTTP on loopback in this process;
its own work (it writes 10,000 objects per cycle) is part of every figure. Nothing changes between two cycles, which is
the usual case. The comparison is what existing systems do: one GET for each job through the same client, the next
after the answer. Replicate's limit of 3,000 requests a minute is off in both; with it the sequence would take minutes
on any machine. The requests of the cycle are counted, and its memory is traced in one more cycle.
"""

from __future__ import annotations

import functools
import math
import os
import time
import tracemalloc
from pathlib import Path

import httpx
import trio
from common import Figure, arguments, below, percentile, report

from actors.jobs.ids import IdFactory
from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import (
    Job,
    JobRequest,
    JobStatus,
    QueueEntry,
    QueueStatus,
    Resources,
    Submission,
    SubmissionState,
)
from actors.providers.replicate import ReplicateOptions, ReplicateProvider, api
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.store import InlineExecutor, Transaction, jobs, queue, submissions
from actors.testing import virtual_settings
from actors.testing.fake_replicate import TOKEN, FakeReplicate, Outcome, RemoteJob, Script, serve

REQUEST = JobRequest(
    provider="replicate", spec={"model": "ana/m"}, user_id="ana", inherited_env={}, resources=Resources(cpus=1)
)
EXTRA = 2
"""Maximum of a cycle's requests besides the pages."""
MEGABYTE = 1e6


def hold(remote: list[RemoteJob], ids: IdFactory, tx: Transaction) -> None:
    """The rows after every job was submitted; the submission itself is measured elsewhere."""
    made = []
    for there in remote:
        job_id = ids.new(tx.now)
        job = Job(job_id, JobStatus.RUNNING, "replicate", job_id, REQUEST, tx.now, tx.now, started_at=there.created_at)
        entry = QueueEntry(job_id, QueueStatus.RUNNING, 0, None, tx.now, tx.next_order(), started_at=tx.now)
        made.append((job, entry, there))
    jobs.add(tx.connection, [job for job, _, _ in made])
    queue.add(tx.connection, [queue.to_row(entry, queue.owner_of(REQUEST)) for _, entry, _ in made])
    handed = []
    for job, _, there in made:
        handle = {"id": there.id, "kind": there.kind}
        key = f"{job.job_id}-1"
        handed.append(Submission(job.job_id, key, "t", SubmissionState.HANDED, tx.now, handle, tx.now))
    submissions.put(tx.connection, handed)


async def cycle(runtime: RunningRuntime, fake: FakeReplicate) -> tuple[float, float]:
    """Elapsed and CPU seconds of one round over all jobs."""
    poller = runtime._poller_now
    assert poller is not None
    watch = poller._watches["replicate"]
    start, worked = time.perf_counter(), time.process_time()
    fault = (await watch.sync()).fault
    taken = time.perf_counter() - start, time.process_time() - worked
    assert fault is None, fault
    assert watch.synced == len(fake.jobs()), f"only {watch.synced} jobs were read"
    return taken


async def one_by_one(address: str, remote: list[RemoteJob]) -> float:
    """Seconds of a GET for each job, in sequence."""
    async with httpx.AsyncClient(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        start = time.perf_counter()
        for job in remote:
            (await client.get(f"/v1/predictions/{job.id}")).json()
        return time.perf_counter() - start


async def traced(runtime: RunningRuntime, fake: FakeReplicate) -> float:
    """Peak memory of one cycle, in bytes above the memory before it."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await cycle(runtime, fake)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


def resident() -> float:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(many: int, rounds: int) -> list[Figure]:
    """All figures."""
    fake = FakeReplicate(creations_a_minute=None, others_a_minute=None)
    fake.script("*", Script(outcome=Outcome.NEVER))
    remote = [fake.create("prediction", "ana/m", "hidden", {"steps": number}) for number in range(many)]
    limits = Limits(total=many, per_user=many)
    settings = virtual_settings(limits=limits, poller=PollerOptions(interval_seconds=86_400))
    async with trio.open_nursery() as nursery:
        address = f"http://127.0.0.1:{await nursery.start(serve, fake)}"
        provider = ReplicateProvider(ReplicateOptions(base_url=address))
        parts = Parts(in_memory=True, executor=InlineExecutor(), providers=[provider])
        async with open_runtime(settings, parts) as runtime:
            await runtime.ledger.store.write(functools.partial(hold, remote, IdFactory()))
            await cycle(runtime, fake)  # the first one learns how old the jobs are
            fake.requests.clear()
            before = resident()
            cycles = [await cycle(runtime, fake) for _ in range(rounds)]
            grown = resident() - before
            requests = len(fake.requests) / rounds
            sequence = await one_by_one(address, remote)
            held = await traced(runtime, fake)
        nursery.cancel_scope.cancel()
    pages, walls = math.ceil(many / 100), [wall for wall, _ in cycles]
    middle = percentile(walls, 50)
    return [
        below(
            Figure(
                f"cycle over {many:,} jobs, p50", middle, "s", beside="one GET per job in sequence",
                ratio=middle / sequence, note=f"{min(walls):.2f} to {max(walls):.2f}; in sequence {sequence:.1f} s",
            ),
            3.0,
        ),
        Figure("of it this process at work", percentile([cpu for _, cpu in cycles], 50), "s"),
        Figure(
            "requests of a cycle", requests, "", target=f"<= {pages} pages + {EXTRA}", met=requests <= pages + EXTRA,
            note=f"in sequence {many:,}",
        ),
        Figure("memory of a cycle, peak", held / MEGABYTE, "MB", note=f"{held / many:.0f} bytes a job"),
        Figure(f"memory kept after {rounds} cycles", grown / MEGABYTE, "MB"),
    ]  # fmt: skip


def main() -> None:
    """Measure and report."""
    chosen = arguments(__doc__, jobs=(10_000, "active jobs"), rounds=(5, "cycles that are timed"))
    os.environ["REPLICATE_API_TOKEN"] = TOKEN
    api.RATES = ()  # measure the work, not the wait for Replicate's rate limit
    report(trio.run(measure, chosen.jobs, chosen.rounds), as_json=chosen.json)


main()
