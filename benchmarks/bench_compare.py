"""What a comparison costs: ``greenroom compare`` of a group of 500 jobs with 50 series each, beside ``greenroom jobs``.

    python benchmarks/bench_compare.py [--rounds 9] [--jobs 500] [--series 50] [--points 200] [--json]

Entry: processes of ``python -m actors`` over the Unix socket, started in turn, their output a pipe. The jobs have ended
and stand in the database with all of their series; each has five parameters.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import trio
from bench_runtime import supervisor
from common import Figure, arguments, at_most, environment, in_turn, ratio, report

from actors.cli.context import os_user
from actors.jobs.ids import IdFactory
from actors.store.state_directory import DATABASE

REQUIRED = 2.0
FORMS = ("compare g", "compare g --sort lr", "compare g --json", "compare g --csv")


def fill(database: Path, jobs: int, series: int, points: int) -> None:
    """Write the jobs of group ``g`` of this user, each with its series."""
    draw, user = random.Random(1), os_user()
    ids, now = IdFactory(draw.getrandbits), datetime.now(UTC)
    moment = int(now.timestamp() * 1e6)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    for number in range(jobs):
        job_id = ids.new(now)
        parameters = {name: f"{draw.random():.3g}" for name in ("lr", "l2", "dropout", "width", "seed")}
        environment_of_it = {f"VARIABLE_{at}": "x" * 50 for at in range(20)}
        request = {
            "command": ["python", "train.py"], "user_id": user, "config_name": f"train-{number}", "group": "g",
            "parameters": parameters, "inherited_env": environment_of_it,
        }  # fmt: skip
        connection.execute(
            "INSERT INTO jobs (job_id, status, provider, user_id, correlation_id, request, created_at, updated_at,"
            " started_at, completed_at, version, config_name, group_name)"
            " VALUES (?,'completed','local',?,'bench',?,?,?,?,?,4,?,'g')",
            (job_id, user, json.dumps(request), *[moment] * 4, f"train-{number}"),
        )
        connection.execute(
            "INSERT INTO queue_entries (job_id, status, user_id, provider, cpus, gpus, base_priority, queued_at,"
            " queued_seq, max_attempts, completed_at) VALUES (?,'completed',?,'local',1,0,10,?,?,1,?)",
            (job_id, user, moment, number, moment),
        )
        curve = array("d", [float(step) for step in range(points)] + [draw.random() for _ in range(points)]).tobytes()
        rows = []
        for at in range(series):
            ends = {name: [draw.randrange(points), draw.random()] for name in ("first", "last", "low", "high")}
            name = f"layer{at // 2}.{'loss' if at % 2 else 'norm'}"
            values = [ends[end][1] for end in ("last", "low", "high")]
            rows.append((job_id, name, *values, json.dumps({**ends, "non_finite": 0}), len(curve) + 250, moment, curve))
        connection.executemany("INSERT INTO series VALUES (?,1,?,?,?,?,?,?,?,?)", rows)
    connection.execute("COMMIT")
    connection.close()


def run(home: Path, command: str) -> str:
    """One command, to its end; what it printed."""
    words = [sys.executable, "-m", "actors", *command.split()]
    done = subprocess.run(words, env=environment(home), cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} ended with status {done.returncode}: {done.stderr}")
    return done.stdout


def figures(home: Path, rounds: int, jobs: int, series: int) -> list[Figure]:
    """Each form of the comparison and the list of as many jobs, in turn."""

    def asking(command: str) -> Callable[[], str]:
        return lambda: run(home, command)

    listing = f"jobs --limit {jobs}"
    assert len(run(home, listing).splitlines()) == jobs + 1
    assert len(run(home, FORMS[0]).splitlines()) == jobs + 1
    taken = trio.run(in_turn, rounds, {name: asking(name) for name in (listing, *FORMS)})
    note = f"{listing} {statistics.median(taken[listing]) * 1e3:.0f} ms"
    found = []
    for name in FORMS:
        own = statistics.median(taken[name]) * 1e3
        times = ratio(taken[name], taken[listing])
        what = f"greenroom {name}, {jobs} jobs of {series} series"
        found.append(at_most(Figure(what, own, "ms", listing, times, note=note), REQUIRED))
    return found


def main() -> None:
    """Fill, measure, report."""
    given = arguments(
        __doc__, rounds=(9, "processes of each"), jobs=(500, "in the group"), series=(50, "of each job"),
        points=(200, "of each series"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with supervisor(home):
            pass
        fill(home / DATABASE, given.jobs, given.series, given.points)
        with supervisor(home):
            found = figures(home, given.rounds, given.jobs, given.series)
    report(found, as_json=given.json)


if __name__ == "__main__":
    main()
