"""One matrix of ten thousand jobs beside a batch of as many, as requests to the HTTP application.

    python benchmarks/bench_sweep.py [--jobs 10000] [--rounds 3] [--json]

Both make the same jobs, with the same environment, in one transaction on disk; a limit of 0 keeps them waiting. The
matrix is one request of some kilobytes, which the server expands; the batch is a list of all jobs, each with its
environment. Each round has a database of its own.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from bench_store import supervisor
from common import Figure, arguments, at_most, ratio, report

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.job_requests.matrices import request_of
from actors.jobs.sweeps import Sweep, expand
from actors.providers.scripted import ScriptedProvider
from actors.runtime import Parts, RunningRuntime

ENVIRONMENT = {f"VARIABLE_{number}": "x" * 60 for number in range(12)}
"""What a shell has for a job: some 1 KB."""


def matrix_body(jobs: int) -> dict[str, Any]:
    """One request that makes so many jobs: two parameters, one of which has a hundred values."""
    return {
        "provider": "scripted", "user_id": "ana", "org_id": "lab", "config_name": "t-{lr}-{seed}",
        "spec": {"error": "lr={lr} seed={seed}"}, "inherited_env": ENVIRONMENT, "group": "rates",
        "matrix": {"lr": [f"{number / 1000:.3f}" for number in range(1, 101)], "seed": {"from": 1, "to": jobs // 100}},
    }  # fmt: skip


def batch_body(jobs: int) -> list[dict[str, Any]]:
    """The same jobs, written out."""
    sweep = request_of(matrix_body(jobs))
    assert isinstance(sweep, Sweep)
    common = {key: one for key, one in matrix_body(jobs).items() if key != "matrix"}
    return [
        {**common, "config_name": job.config_name, "spec": dict(job.spec)} for job in expand(sweep)
    ]  # fmt: skip


async def seconds_of(runtime: RunningRuntime, content: bytes) -> float:
    """From sending the body to having the whole answer."""
    app = create_app(runtime)

    async def from_owner(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {"peer": Peer(0, "ana")}}, receive, send)

    headers = {"Content-Type": "application/json"}
    transport = httpx.ASGITransport(app=from_owner)
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom", timeout=None) as http:
        began = time.perf_counter()
        answered = await http.post("/api/jobs", content=content, headers=headers)
        taken = time.perf_counter() - began
    assert answered.status_code == 201, answered.text[:500]
    return taken


async def measure(jobs: int, rounds: int, folder: Path) -> list[Figure]:
    """Both, round by round in turn, each in a store of its own."""
    bodies = {"matrix": json.dumps(matrix_body(jobs)).encode(), "batch": json.dumps(batch_body(jobs)).encode()}
    taken: dict[str, list[float]] = {name: [] for name in bodies}
    for number in range(rounds):
        for name in sorted(bodies, reverse=bool(number % 2)):
            async with supervisor(folder / f"{name}-{number}", Parts(providers=[ScriptedProvider()])) as runtime:
                taken[name].append(await seconds_of(runtime, bodies[name]))
    beside = f"the time of a batch of {jobs}"
    figure = Figure(f"one matrix of {jobs}", min(taken["matrix"]), "s", beside, ratio(taken["matrix"], taken["batch"]))
    sizes = f"{len(bodies['matrix'])} bytes beside {len(bodies['batch'])}"
    return [
        attrs.evolve(at_most(figure, 1.0), note=sizes),
        Figure(f"one batch of {jobs}", min(taken["batch"]), "s"),
    ]


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, jobs=(10_000, "jobs in each"), rounds=(3, "rounds"))
    with tempfile.TemporaryDirectory() as folder:
        found = trio.run(measure, options.jobs, options.rounds, Path(folder))
    report(found, as_json=options.json)


if __name__ == "__main__":
    main()
