"""What reads cost when many ended jobs lie in the tables, beside a thousand; the queue's numbers; pruning.

    python benchmarks/bench_history.py [--jobs 100000] [--few 1000] [--rounds 9] [--waiting 1000]
        [--seconds 8] [--json]

``--jobs 1000000`` is what the requirement says; it takes some minutes, the default a good half. The ended jobs are
inserted straight into a database that the runtime has made (:func:`fill`): jobs, entries, submissions, three events
each, then the text index. Routes are asked in one process, without a socket, by the operator: what is measured is the
server's part. Of a route's rounds the median counts. Slow readers are eight callers who ask for a text that nothing
holds and that no index finds, over and over; the operator asks for a document meanwhile. The pruner makes long pauses
while others write, so its rate and their waits are measured one after the other, over the same jobs.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from common import Figure, arguments, at_least, at_most, below, percentile, report

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.jobs.ids import IdFactory
from actors.jobs.records import JobRequest
from actors.jobs.retention import PruneResult
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.pruner import prune
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.settings import Settings
from actors.store import text_search
from actors.store.dialect import open_engine
from actors.store.state_directory import DATABASE

ROUTES = {
    "jobs": "/api/jobs",
    "jobs of a user": "/api/jobs?user_id=u7",
    "jobs of a user that failed": "/api/jobs?user_id=u7&status=failed",
    "jobs of an organisation": "/api/jobs?org_id=o3",
    "jobs of a provider": "/api/jobs?provider=scripted",
    "jobs that run": "/api/jobs?status=running",
    "jobs since yesterday": "/api/jobs?since=2001-01-01T00:00:00Z&limit=100",
    "a job": "/api/jobs/{job}",
    "a job by the end of its id": "/api/jobs/{tail}",
    "events of a job": "/api/jobs/{job}/events",
    "queue": "/api/queue",
    "queue in numbers": "/api/queue/stats",
    "approvals": "/api/approvals",
    "health": "/health",
    "metrics": "/metrics",
    "tokens": "/api/tokens",
}
TEXTS = {
    "a text that many hold": "/api/jobs?q=train",
    "a text that one holds": "/api/jobs?q={tail}",
    "a text that none holds": "/api/jobs?q=nothing-has-this",
    "a part of an error": "/api/jobs?q=out of memory",
    "a job by its name": "/api/jobs/train-7.yaml",
    "names by their beginning": "/api/jobs?name=train-7*",
    "names by their end": "/api/jobs?name=*-7.yaml",
    "names of one letter": "/api/jobs?name=*t*&status=failed",
}
SLOW = "/api/jobs?q=%C3%A4"
"""A text without a trigram that no job has: all of them are read."""

Client = httpx.AsyncClient


def fill(database: Path, number: int, now: datetime) -> str:
    """Insert ``number`` ended jobs, a minute apart, the last of them an hour old; the id of one in the middle."""
    ids, ended = IdFactory(random.Random(1).getrandbits), [now - timedelta(hours=1, minutes=at) for at in range(number)]
    names = [ids.new(moment) for moment in reversed(ended)]
    moments = [int(moment.timestamp() * 1e6) for moment in reversed(ended)]
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-400000")
    connection.execute("BEGIN")
    status = ["failed" if at % 10 == 0 else "completed" for at in range(number)]
    users, error = [f"u{at % 9}" for at in range(number)], "exited with code 1: CUDA out of memory"
    request = '{"provider":"scripted","user_id":"%s","config_name":"train-%d.yaml","spec":{}}'
    everyone = range(number)
    connection.executemany(
        "INSERT INTO jobs (job_id, status, provider, user_id, correlation_id, request, created_at, updated_at,"
        " started_at, completed_at, error_message, config_name, version)"
        " VALUES (?,?,'scripted',?,'bench',?,?,?,?,?,?,?,4)",
        (
            (names[at], status[at], users[at], request % (users[at], at % 97), *[moments[at]] * 4,
             error if status[at] == "failed" else None, f"train-{at % 97}.yaml")
            for at in everyone
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO queue_entries (job_id, status, user_id, org_id, provider, cpus, gpus, base_priority, queued_at,"
        " queued_seq, max_attempts, completed_at) VALUES (?,?,?,?,'scripted',1,0,10,?,?,1,?)",
        ((names[at], status[at], users[at], f"o{at % 20}", moments[at], at, moments[at]) for at in everyone),
    )
    connection.executemany(
        "INSERT INTO submissions (key, job_id, token, state, intent_at) VALUES (?,?,'t','closed',?)",
        ((f"{names[at]}-1", names[at], moments[at]) for at in everyone),
    )
    connection.executemany(
        "INSERT INTO events (seq, time, type, job_id, correlation_id, data) VALUES (?,?,?,?,'bench','{}')",
        (
            (3 * at + place + 1, moments[at], kind, names[at])
            for at in everyone
            for place, kind in enumerate(("job_submitted", "job_running", "job_completed"))
        ),
    )
    connection.execute("UPDATE counters SET value = ? WHERE name = 'events'", (3 * number,))
    connection.execute("COMMIT")
    connection.close()
    _fill_text_index(database)
    return names[number // 2]


def _fill_text_index(database: Path) -> None:
    engine = open_engine(database)
    with engine.connect() as connection:
        for pragma in ("synchronous=OFF", "cache_size=-400000"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        more = True
        while more:
            connection.exec_driver_sql("BEGIN")
            more = bool(text_search.fill(connection, 20_000))
            connection.exec_driver_sql("COMMIT")
        while text_search.merge(connection, 4_000):  # as the runtime does after each batch
            pass
    engine.dispose()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[RunningRuntime]:
    """A runtime whose pruner keeps everything."""
    settings = Settings.default(folder)
    settings = attrs.evolve(settings, retention=attrs.evolve(settings.retention, days=0))
    async with open_runtime(settings, Parts(providers=[ScriptedProvider(ScriptedOptions())])) as runtime:
        yield runtime


@asynccontextmanager
async def history(folder: Path, number: int) -> AsyncIterator[tuple[RunningRuntime, str]]:
    """A runtime over ``number`` ended jobs, and the id of one of them."""
    async with opened(folder):
        pass
    job_id = fill(folder / DATABASE, number, datetime.now(UTC))
    async with opened(folder) as runtime:
        await runtime.queue.pause(None, "what waits is to wait", by="bench")
        yield runtime, job_id


def client_of(runtime: RunningRuntime) -> Client:
    """Requests of the operator to the application."""
    app = create_app(runtime)

    async def by_operator(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {"peer": Peer(None, "bench", "admin", via="socket")}}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app=by_operator), base_url="http://bench", timeout=60)


async def stranger(runtime: RunningRuntime, number: int) -> Client:
    """Requests of somebody else with a token."""
    _, secret = await runtime.access.create_token(user_id=f"slow{number}", level="admin")
    app, headers = create_app(runtime), {"Authorization": f"Bearer {secret}"}
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765", timeout=60, headers=headers)


async def timed(http: Client, path: str, rounds: int) -> list[float]:
    """Seconds of each answer, the first one's apart."""
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        answer = await http.get(path)
        taken.append(time.perf_counter() - start)
        assert answer.is_success, (path, answer.text)
    return taken[1:]


async def routes(small: tuple[RunningRuntime, str], large: tuple[RunningRuntime, str], rounds: int) -> list[Figure]:
    """Each route over few and over many ended jobs, in turn."""
    found = []
    async with client_of(small[0]) as few, client_of(large[0]) as many:
        for name, path in {**ROUTES, **TEXTS}.items():
            here, there = [path.format(job=job, tail=job[-7:]) for _, job in (small, large)]
            ours, base = await timed(many, there, rounds), await timed(few, here, rounds)
            value, baseline = statistics.median(ours), statistics.median(base)
            figure = Figure(name, value * 1e3, "ms", "few ended jobs", value / baseline)
            found.append(below(figure, 300) if name in TEXTS else _flat(figure))
    return found


def _flat(figure: Figure) -> Figure:
    assert figure.ratio is not None
    return attrs.evolve(figure, target="<= 5 x and <= 50 ms", met=figure.ratio <= 5 and figure.value <= 50)


async def beside_slow_readers(runtime: RunningRuntime, job_id: str, rounds: int) -> Figure:
    """One document beside eight slow readers."""
    async with client_of(runtime) as http, trio.open_nursery() as nursery:
        path = f"/api/jobs/{job_id}"
        alone = await timed(http, path, 5 * rounds)

        async def reads(slow: Client) -> None:
            async with slow:
                while True:
                    await slow.get(SLOW)

        for number in range(8):
            nursery.start_soon(reads, await stranger(runtime, number))
        await trio.sleep(0.5)
        beside = await timed(http, path, 5 * rounds)
        nursery.cancel_scope.cancel()
    value, base = statistics.median(beside), statistics.median(alone)
    return at_most(Figure("a document beside 8 slow readers", value * 1e3, "ms", "without them", value / base), 3)


async def numbers_of_queue(runtime: RunningRuntime, job_id: str, waiting: int, rounds: int) -> Figure:
    """The queue in numbers with many waiting, beside the route of one job."""
    await runtime.jobs.submit_many([JobRequest(provider="scripted", user_id=f"w{at % 10}") for at in range(waiting)])
    async with client_of(runtime) as http:
        stats = statistics.median(await timed(http, "/api/queue/stats", rounds))
        one = statistics.median(await timed(http, f"/api/jobs/{job_id}", rounds))
    return at_most(Figure(f"numbers of a queue of {waiting}", stats * 1e3, "ms", "a job's document", stats / one), 10)


async def pruning(runtime: RunningRuntime, seconds: float) -> list[Figure]:
    """What writers wait beside the pruner, and its rate while nobody else writes; ``seconds`` long each."""

    async def writes(times: int, taken: list[float]) -> None:
        for _ in range(times):
            start = time.perf_counter()
            await runtime.queue.set_limit("total", 5)
            taken.append(time.perf_counter() - start)
            await trio.sleep(0.005)

    async def remove() -> tuple[PruneResult, float]:
        start = time.perf_counter()
        done = await prune(runtime.ledger, runtime.context.providers, datetime.now(UTC), seconds=seconds)
        return done, done.jobs / (time.perf_counter() - start)

    alone: list[float] = []
    beside: list[float] = []
    await writes(500, alone)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writes, 10**9, beside)
        _, slowly = await remove()
        nursery.cancel_scope.cancel()
    done, rate = await remove()
    p99 = percentile(beside, 99)
    note = f"{len(beside)} writes, {slowly:.0f} jobs/s removed"
    waits = Figure("p99 of others' writes meanwhile", p99 * 1e3, "ms", "alone", p99 / percentile(alone, 99), note=note)
    removed = f"{done.jobs} jobs, {done.events} events"
    return [at_least(Figure("pruning", rate, "jobs/s", note=removed), 3_000), at_most(waits, 2)]


async def main() -> None:
    """Measure and report."""
    given = arguments(
        __doc__, jobs=(100_000, "ended jobs"), few=(1_000, "ended jobs to compare with"), rounds=(9, "of each route"),
        waiting=(1_000, "entries that wait"), seconds=(8, "of pruning"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        few, many = (Path(folder) / name for name in ("few", "many"))
        async with history(few, given.few) as small, history(many, given.jobs) as large:
            figures = await routes(small, large, given.rounds)
            figures.append(await beside_slow_readers(*large, given.rounds))
            figures.append(await numbers_of_queue(*large, given.waiting, given.rounds))
            figures += await pruning(large[0], given.seconds)
    conditions = f"embedded, scripted, default limits, {given.jobs:,} ended jobs beside {given.few:,}"
    report([attrs.evolve(one, conditions=conditions) for one in figures], as_json=given.json)


if __name__ == "__main__":
    trio.run(main)
