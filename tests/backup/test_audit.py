"""Backups taken again and again during a thousand jobs, each restored: no job is lost, none runs twice (F3).

The jobs are real processes; each writes its id into one file, so that a second run would be seen. The supervisor is
killed in the middle, and the newest backup goes on from there. Older ones, restored after it, find all that has run.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import orjson
import pytest

from actors.api.socket_file import announced

pytestmark = pytest.mark.parts

ROOT = Path(__file__).resolve().parents[2]
JOBS, BATCH, HELD = 1_000, 200, 700
MOST_SECONDS = 400
CONFIG = "limits: {total: 40, per_user: 40}\nproviders: {local: {cpus: 64}}\n"


@attrs.define
class Place:
    """`record`: the file that jobs write to; `backups`: each with the jobs that were accepted before it began."""

    folder: Path
    backups: list[tuple[Path, set[str]]] = attrs.field(factory=list)
    accepted: set[str] = attrs.field(factory=set)

    @property
    def record(self) -> Path:
        return self.folder / "record"

    @property
    def gate(self) -> Path:
        """Jobs from number :data:`HELD` on end once this file is there."""
        return self.folder / "gate"

    def environment(self, home: Path) -> dict[str, str]:
        plain = {key: one for key, one in os.environ.items() if not key.startswith(("SIMPLETUNER_", "GREENROOM_"))}
        return {**plain, "HOME": str(self.folder), "GREENROOM_HOME": str(home), "PYTHONPATH": str(ROOT)}

    def json(self, home: Path, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "actors", *words], cwd=self.folder, env=self.environment(home),
            capture_output=True, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
        return orjson.loads(done.stdout)

    @contextmanager
    def supervisor(self, home: Path) -> Iterator[subprocess.Popen[str]]:
        """One that is ready; killed at the end of the block."""
        with subprocess.Popen(
            [sys.executable, "-m", "actors", "run", "--config", "greenroom.yaml"], cwd=home, text=True,
            env=self.environment(home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                assert process.stdout is not None
                assert any("Supervisor is ready" in line for line in process.stdout)
                drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
                yield process
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()
            drain.wait()

    def submit(self, home: Path) -> None:
        """A batch of jobs; accepted when this returns."""
        wait = f"[ {{n}} -lt {HELD} ] || while [ ! -e {self.gate} ]; do sleep 0.1; done"
        script = f'{wait}; echo "$GREENROOM_JOB_ID" >> {self.record}'
        sweep = f"n={len(self.accepted)}..{len(self.accepted) + BATCH - 1}"
        made = self.json(home, "submit", "--json", "--sweep", sweep, "--", "sh", "-c", script)
        self.accepted |= {job["job_id"] for job in made}

    def back_up(self, home: Path) -> None:
        before = set(self.accepted)
        file = self.folder / f"backup-{len(self.backups)}"
        self.json(home, "backup", "--json", str(file))
        self.backups.append((file, before))

    def lines(self) -> list[str]:
        return self.record.read_text().split() if self.record.exists() else []


def audited(database: Path, accepted: set[str]) -> None:
    with closing(sqlite3.connect(database)) as rows:
        numbers = [seq for (seq,) in rows.execute("SELECT seq FROM events ORDER BY seq")]
        (counter,) = rows.execute("SELECT value FROM counters WHERE name = 'events'").fetchone()
        jobs = {job_id for (job_id,) in rows.execute("SELECT job_id FROM jobs")}
        entries = {job_id for (job_id,) in rows.execute("SELECT job_id FROM queue_entries")}
    assert numbers == list(range(1, counter + 1))
    assert accepted <= jobs == entries


def wait_until(home: Path, condition: Any) -> None:
    """Asked whenever something has happened in the runtime."""
    with (
        client_of(home) as client,
        client.stream("GET", "http://greenroom/api/events", timeout=MOST_SECONDS) as events,
    ):
        happened = events.iter_raw()
        while not condition():
            next(happened)


def client_of(home: Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(announced(home))), timeout=MOST_SECONDS)


def ask(home: Path, path: str) -> Any:
    with client_of(home) as client:
        return client.get(f"http://greenroom/{path}").raise_for_status().json()


def is_idle(home: Path) -> bool:
    counts = ask(home, "api/queue/stats")["counts"]
    return not any(counts.get(status) for status in ("pending", "ready", "blocked", "running"))


def restored(place: Place, number: int) -> Path:
    file, accepted = place.backups[number]
    home = place.folder / f"restored-{number}"
    place.json(home, "restore", "--json", str(file), "--into", str(home))
    (home / "providers").symlink_to(place.folder / "original" / "providers")
    audited(home / "greenroom.db", accepted)
    return home


def test_each_backup_of_a_thousand_jobs_can_be_restored_and_nothing_runs_twice(tmp_path, request):
    place, home = Place(tmp_path), tmp_path / "original"
    request.addfinalizer(place.gate.touch)
    home.mkdir(mode=0o700)
    (home / "greenroom.yaml").write_text(CONFIG)
    with place.supervisor(home):
        while len(place.accepted) < JOBS:
            place.submit(home)
            place.back_up(home)
            place.back_up(home)
    assert 0 < len(place.lines()) <= HELD, "it was to be killed in the middle"
    for number in reversed(range(len(place.backups))):
        home = restored(place, number)
        if number % 2 == 0:  # a supervisor on one of the two of each batch is enough
            continue
        before = place.lines()
        with place.supervisor(home):
            wait_until(home, lambda home=home: ask(home, "api/restore")["to_look_up"] == {})
            counts = ask(home, "api/queue/stats")["counts"]
            place.gate.touch()
            assert ask(home, "health")["uncertain_jobs"] == []
            assert number == len(place.backups) - 1 or sorted(place.lines()) == sorted(before)
            place.json(home, "queue", "resume", "--all", "--json")
            wait_until(home, lambda home=home: is_idle(home))
            assert ask(home, "api/queue/stats")["counts"] == {"completed": sum(counts.values())}
        assert Counter(place.lines()) <= Counter(place.accepted), "a job ran twice"
    assert Counter(place.lines()) == Counter(place.accepted)
