"""A job whose shim was killed, as people see it: uncertain until its end is proven or settled; what doctor says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from actors.cli import doctor
from actors.cli.address import SocketAddress
from actors.cli.context import Failed
from actors.providers.local.cgroups import cgroup_parent
from actors.providers.local.directory import job_directories, read_record
from tests.cli.conftest import MOST_SECONDS, stop, until

SHEDDING = ("sh", "-c", "setsid env -i sleep 1000 & echo $!; echo {} > $GREENROOM_PROGRESS_FILE; wait")
WITHOUT_CGROUP = """
import sys
from actors.cli import main
from actors.providers.local import lost_jobs
lost_jobs.cgroup_parent = lambda: None
sys.argv[0] = "greenroom"
main()
"""


def wait_for(terminal: Any, job: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The job's document once it is as wanted. Raises AssertionError when that takes too long."""
    until = time.monotonic() + MOST_SECONDS
    while not wanted(document := terminal.json("show", job, "--json")):
        assert time.monotonic() < until, document
    return dict(document)


@pytest.fixture
def subreaper(terminal: Any) -> Iterator[subprocess.Popen[str]]:
    """``greenroom run`` with one GPU where no control groups can be made."""
    (terminal.cwd / "greenroom.yaml").write_text("providers: {local: {gpus: [GPU-a]}}\n")
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_CGROUP, "run"], cwd=terminal.cwd, env=terminal.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until(process, "Supervisor is ready")
    yield process
    stop(process)


@pytest.mark.parts
@pytest.mark.parametrize("how", ["it ends", "a person settles it"])
def test_a_gpu_is_kept_while_a_process_of_a_lost_job_lives(terminal: Any, subreaper: Any, how: str) -> None:
    """Its environment, group and session are gone, its shim was killed: no mark of the job's is left on it."""
    findings = {one["subject"]: one for one in terminal.json("doctor", "--json")}
    assert "after a restart of it such a job is uncertain" in findings["lost jobs"]["found"]
    job = terminal.json("submit", "--gpus", "1", "--json", "--", *SHEDDING)["job_id"]
    wait_for(terminal, job, lambda one: one["progress"] is not None)
    (directory,) = job_directories(terminal.home / "providers" / "local" / "jobs")
    wait_for(terminal, job, lambda _: directory.log.read_text() != "")
    run = read_record(directory.run)
    assert run is not None
    survivor = int(directory.log.read_text())
    try:
        os.kill(run["shim"], signal.SIGKILL)
        seen = wait_for(terminal, job, lambda one: one["uncertain"] is not None)
        assert f"process {survivor} may be left of it" in seen["uncertain"]["reason"]
        following = terminal.json("submit", "--gpus", "1", "--json", "--", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
        assert terminal.json("show", following["job_id"], "--json")["status"] == "pending"
        if how == "it ends":
            os.kill(survivor, signal.SIGKILL)
        else:
            assert terminal.type("settle", job, "--failed").returncode == 0
        seen = wait_for(terminal, job, lambda one: one["status"] == "failed")
        assert ("lost: its shim was killed" if how == "it ends" else "settled as failed") in seen["error_message"]
        wait_for(terminal, following["job_id"], lambda one: one["status"] == "completed")
        assert terminal.type("logs", following["job_id"]).stdout == "GPU-a\n"
        assert Path(f"/proc/{survivor}").exists() == (how != "it ends")
    finally:
        with suppress(ProcessLookupError):
            os.kill(survivor, signal.SIGKILL)


def test_doctor_says_what_would_hold_here() -> None:
    """No supervisor runs: a control group where this process may make one, else the account of ``greenroom run``."""
    (finding,) = doctor.lost_jobs([doctor.local_proof()])
    assert ("control group" in finding.found) == (cgroup_parent() is not None)
    assert ("Delegate=yes" in finding.advice) == (cgroup_parent() is None)


@pytest.mark.parametrize(
    ("proofs", "words"),
    [
        (["cgroup"], "each job has a control group"),
        ([None, "subreaper"], "the supervisor receives"),
        (["none"], "nothing proves"),
        ([None], None),
        (Failed("no answer"), None),
    ],
)
def test_doctor_says_what_holds_for_the_supervisor_that_runs(
    proofs: list[str | None] | Failed, words: str | None
) -> None:
    """It is asked: an embedded runtime has other means than a service."""

    class Answers:
        supervisor = SocketAddress(Path("/nowhere/greenroom.sock"), "the supervisor")

        def request(self, method: str, *path: str, params: Any = None) -> Any:
            if path == ("health",):
                return {"status": "ok", "reasons": [], "notes": []}
            if isinstance(proofs, Failed):
                raise proofs
            if path == ("api", "restore"):
                return {"restored_at": None}
            return {"providers": [
                {"name": "local", "fault": None, "capabilities": {"lost_job_proof": proof}} for proof in proofs
            ]}  # fmt: skip

    findings = list(doctor.supervisor_findings(Answers(), "pid 1"))  # type: ignore[arg-type]
    found = [one.found for one in findings if one.subject == "lost jobs"]
    assert found == [] if words is None else len(found) == 1 and words in found[0]
    assert isinstance(proofs, Failed) == any(not one.ok for one in findings)
