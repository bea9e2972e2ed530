"""The numbered examples, run as a newcomer runs them: each says what it shows, and ends well."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(name: str, tmp_path: Path) -> list[str]:
    """The lines that example `name` prints; it must end with status 0 and complain of nothing."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GREENROOM_", "SIMPLETUNER_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name], env=env | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_counter_is_restarted_after_each_crash_and_not_after_its_end(tmp_path: Path) -> None:
    lines = run("01_supervised_counter.py", tmp_path)
    assert [line for line in lines if line.startswith("count")] == [f"count {number}" for number in range(1, 8)]
    told = [line.split(": counter ", 1)[1] for line in lines if ": counter " in line]
    life = ["start: -", "ready: -", "exit: failed", "backoff: restart", "restart: restart"]
    assert told == [*life, *life, "start: -", "ready: -", "exit: returned"]


def test_the_account_answers_calls_and_starts_afresh_after_its_crash(tmp_path: Path) -> None:
    assert run("02_call_and_cast.py", tmp_path) == [
        "balance 15", "balance 16", "down: a deposit is never negative", "balance 0",
    ]  # fmt: skip


def test_the_embedded_runtime_runs_two_real_jobs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert run("03_embedded.py", tmp_path) == [
        "6 completed {'square': 36}", "  output: the square is 36",
        "7 completed {'square': 49}", "  output: the square is 49",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_notifications_reach_a_local_server_which_checks_their_signatures(tmp_path: Path) -> None:
    assert run("07_notifications.py", tmp_path) == [
        "good of ana completed: exit status 0", "bad of bo failed: exit status 3",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    assert run("06_interrupted_training.py", tmp_path) == [
        "attempt 1 interrupted from the beginning",
        "attempt 2 completed from its checkpoint",
        "completed 200 of 200 epochs",
    ]
    assert list(tmp_path.iterdir()) == []


class Lifespan:
    """The server's side of the ASGI lifespan protocol: :meth:`serve` an application, then stop it."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.answers: list[str] = []
        self._stop = trio.Event()
        self._started = False

    async def serve(self, app: Any, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async def receive() -> dict[str, Any]:
            if not self._started:
                self._started = True
                return {"type": "lifespan.startup"}
            await self._stop.wait()
            return {"type": "lifespan.shutdown"}

        async def send(message: dict[str, Any]) -> None:
            self.answers.append(message["type"])
            if message["type"] == "lifespan.startup.complete":
                task_status.started()

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": self.state}, receive, send)

    def stop(self) -> None:
        self._stop.set()


async def test_the_web_application_runs_a_job_under_the_callers_correlation_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lifespan starts the runtime and stops it; the state directory is free afterwards."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    app = runpy.run_path(str(EXAMPLES / "04_asgi_lifespan.py"))["app"]
    for number, output in ((7, "49"), (8, "64")):  # the second round: nothing of the first is in the way
        lifespan = Lifespan()
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(lifespan.serve, app)
                answers = await ask(app, lifespan.state, number)
                lifespan.stop()
        assert lifespan.answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        good, bad = answers
        assert good.json().items() >= {"status": "completed", "output": output, "correlation_id": "my-trail"}.items()
        assert good.headers["x-correlation-id"] == "my-trail"
        assert (bad.status_code, bad.json()) == (422, {"error": "number: give a whole number"})


async def ask(app: Any, state: dict[str, Any], number: int) -> tuple[httpx.Response, httpx.Response]:
    """One request that makes sense, and one that does not."""

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)  # what servers do, and httpx's transport does not

    transport = httpx.ASGITransport(with_state)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=None) as client:
        headers = {"X-Correlation-ID": "my-trail"}
        good = await client.post("/squares", params={"number": number}, headers=headers)
        return good, await client.post("/squares", params={"number": "__import__('os')"})


def test_every_numbered_example_says_how_to_run_it_and_is_run_here() -> None:
    here = Path(__file__).read_text()
    for path in sorted(EXAMPLES.glob("[0-9]*.py")):
        assert re.search(rf"(python|hypercorn --worker-class trio) examples/{path.name}", path.read_text()), path.name
        assert f'"{path.name}"' in here


def test_the_embedded_sweep_runs_each_combination_once_and_finds_the_best(tmp_path: Path) -> None:
    lines = run("05_sweep.py", tmp_path)
    assert [line.split()[0] for line in lines[:-1]] == [
        "rate-0.1-1", "rate-0.1-2", "rate-0.20-1", "rate-0.20-2", "rate-0.4-1",
    ]  # fmt: skip
    assert lines[2] == "rate-0.20-1 {'lr': '0.20', 'seed': '1'} completed {'loss': 0.001}"
    assert lines[-1] == "best: rate-0.20-1"


def test_the_program_of_the_readme_trains_its_model(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"^## Embedded\n\n```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
        env={"HOME": str(tmp_path), "GREENROOM_HOME": str(tmp_path / "state"), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("completed {'accuracy': 0.9")
