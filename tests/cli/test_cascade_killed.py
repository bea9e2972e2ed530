"""A supervisor that is killed while an end is passed on to two thousand jobs; the next one goes on where it was."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import stop, until

pytestmark = pytest.mark.parts

NUMBER = 2_000
KILLS = 3
_ENDED_PARENTS = "SELECT count(*) FROM ended_parents"
_LEFT = "SELECT count(*) FROM queue_entries WHERE status = 'pending'"


def ask(database: Path, query: str) -> Any:
    """The first value of the first row, read beside the supervisor."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(query).fetchone()[0]


def until_left(database: Path, most: int, query: str = _LEFT) -> None:
    """Return when at most so many jobs still wait, or what else ``query`` counts."""
    ends = time.monotonic() + 120
    while ask(database, query) > most:
        assert time.monotonic() < ends, f"{query}: {ask(database, query)} are left"


def test_every_job_is_cancelled_once_however_often_the_supervisor_is_killed(terminal: Any) -> None:
    gate = '  - {name: gate, command: ["true"], needs_approval: first}\n'
    waiting = [f'  - {{name: w{number}, command: ["true"], after: gate}}\n' for number in range(NUMBER)]
    (terminal.cwd / "jobs.yaml").write_text("".join(["jobs:\n", gate, *waiting]))
    database = terminal.home / "greenroom.db"
    supervisor = terminal.start("run")
    until(supervisor, "Supervisor is ready")
    terminal.json("submit", "--json", "--file", "jobs.yaml")
    assert ask(database, _LEFT) == NUMBER
    assert terminal.type("reject", "gate").returncode == 0
    for kill in range(1, KILLS + 1):
        until_left(database, NUMBER - kill * NUMBER // (KILLS + 2))
        supervisor.send_signal(signal.SIGKILL)
        supervisor.communicate()
        supervisor = terminal.start("run")
        until(supervisor, "Supervisor is ready")
    until_left(database, 0)
    until_left(database, 0, _ENDED_PARENTS)
    stop(supervisor)
    assert ask(database, "SELECT count(*) FROM jobs WHERE status = 'cancelled'") == NUMBER + 1
    ends = (
        "SELECT count(*) FROM events WHERE type = 'job_status_changed' AND json_extract(data, '$.status') = 'cancelled'"
    )
    assert ask(database, ends) == NUMBER
    assert ask(database, "SELECT count(*) FROM dependencies WHERE broke AND parent_status = 'cancelled'") == NUMBER
