"""A disk that is full, fails, cannot be written or was damaged: refused or reported, and never silently empty (C2).

Errors are put into a real supervisor's own system calls; what was acknowledged before is there when the disk is well
again. All such calls with ``GREENROOM_SWEEP=all`` (``make check-long``).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.job_requests.job_request import request_from_mapping
from actors.runtime import open_runtime
from actors.store import StoreBusy
from supervision import ChildStartError
from supervision.errors import leaves
from tests.kills.stage import Stage
from tests.kills.supervisor import settings_of
from tests.kills.sweep_tracer import can_trace

ROOT = Path(__file__).parents[2]
WHOLE = os.environ.get("GREENROOM_SWEEP") == "all"

pytestmark = pytest.mark.parts

FAULTS = {  # arguments of the sweep: for all, and for some
    "a failing fsync": (["--fault", "EIO", "--calls", "fsync,fdatasync"], ["--first", "4", "--every", "9"]),
    "a disk that fails for three seconds": (["--fault", "EIO", "--lasting"], ["--first", "200", "--every", "400"]),
    "a disk that is full for three seconds": (["--fault", "ENOSPC", "--lasting"], ["--first", "300", "--every", "400"]),
    "a file system that is read-only": (["--fault", "EROFS", "--lasting"], ["--first", "1", "--every", "400"]),
}


@pytest.mark.skipif(not can_trace(), reason="needs ptrace on Linux x86-64 (in a container: --cap-add SYS_PTRACE)")
@pytest.mark.parametrize("fault", FAULTS if WHOLE else ["a failing fsync"])
def test_a_supervisor_whose_disk_refuses_goes_on_or_ends_and_loses_nothing_acknowledged(
    tmp_path: Path, fault: str
) -> None:
    for_all, some = FAULTS[fault]
    more = ["--workers", "2", "--every", "5"] if WHOLE else some
    swept = subprocess.run(
        [sys.executable, "-m", "tests.kills.sweep", "--scratch", str(tmp_path), *for_all, *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert " 0 points" not in swept.stdout


HOLD = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE'); "
HOLD += "print('held', flush=True); sys.stdin.read()"


@contextmanager
def held_by_another(database: Path) -> Iterator[None]:
    """A process that has begun an exclusive transaction on the database, and does not end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.store.dialect.BUSY_TIMEOUT_MS", 20)


async def test_a_foreign_lock_is_told_to_who_asks_and_to_who_looks_and_ends_nothing(tmp_path: Path) -> None:
    request = request_from_mapping({"command": ["true"], "user_id": "ana"})
    async with open_runtime(settings_of(tmp_path)) as runtime:
        before = await runtime.submit(request)
        await runtime.wait(before.job_id)  # every actor has had its first look, a fault in which ends the actor
        with held_by_another(tmp_path / "greenroom.db"):
            with pytest.raises(StoreBusy, match="held by another process; end that process or try again"):
                await runtime.submit(request)
            health = await runtime.health.check()
            assert health.status == "degraded"
            assert any("held by another process" in reason for reason in health.reasons)
            assert [view.job.job_id for view in await runtime.jobs.page()] == [before.job_id]
        job = await runtime.submit(request)
        assert (await runtime.health.check()).reasons == ()
        await runtime.wait(job.job_id)


async def test_a_foreign_lock_on_a_database_that_is_to_be_made_refuses_the_start(tmp_path: Path) -> None:
    with held_by_another(tmp_path / "greenroom.db"), pytest.raises((ChildStartError, ExceptionGroup)) as refused:
        async with open_runtime(settings_of(tmp_path)):
            pass
    (why,) = leaves(refused.value)
    assert isinstance(why, ChildStartError)
    assert isinstance(why.__cause__, StoreBusy)
    assert "greenroom.db is held by another process; end that process or try again" in str(why.__cause__)


def greenroom(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SIMPLETUNER_", "GREENROOM_"))}
    return subprocess.run(
        [sys.executable, "-m", "actors", *arguments], env={**plain, "GREENROOM_HOME": str(home)},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def typed(command: str) -> None:
    """Do what the message says."""
    subprocess.run(["/bin/sh", "-c", command], check=True)


async def test_a_byte_flipped_in_the_log_of_a_killed_supervisor_is_refused_until_somebody_decides(stage: Stage) -> None:
    """By the next supervisor, by who only looks, and by the doctor; then one goes on with what can be read."""
    stage.write_jobs([{"command": ["true"], "user_id": f"user-{number}"} for number in range(3)])
    assert await stage.supervise("exit written", "3") == -signal.SIGKILL
    log = stage.state_dir / "greenroom.db-wal"
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    log.write_bytes(damaged)
    for command in (["run", "--until-idle"], ["jobs"], ["doctor"]):
        refused = greenroom(stage.state_dir, *command)
        assert refused.returncode == 1, command
        said = refused.stdout + refused.stderr
        assert "is damaged at byte" in said.replace("\n", " "), said
        assert "Traceback" not in said
    assert log.read_bytes() == damaged, "somebody changed it, or threw it away"
    (advice,) = greenroom(stage.state_dir, "jobs").stderr.splitlines()
    typed(advice.rpartition("without them: ")[2])
    assert greenroom(stage.state_dir, "run", "--until-idle").returncode == 0
