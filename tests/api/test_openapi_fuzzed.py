"""schemathesis against a real supervisor: no 5xx, and every answer is one that the OpenAPI document shows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("schemathesis")
CONFIG = """
http: {port: 0, requests_per_minute: 1000000}
providers: {local: null, there: {kind: scripted}}
approvals: {rules: [{name: Dear, condition: config_pattern, value: dear}]}
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ENDLESS = "^/api/events$|/logs"
"""Streams, which have tests of their own."""


@attrs.frozen
class Served:
    """A supervisor's address, the token of its admin, and what it logged."""

    address: str
    token: str
    log: Path

    def ask(self, method: str, path: str, **fields: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.address + path, headers=headers, **fields).raise_for_status().json()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A supervisor with simulated jobs, on a port of its own."""
    if not PROGRAM.exists():
        pytest.skip("schemathesis is not installed: pip install 'greenroom[parts]', as .ci/run does")
    config, state, log = tmp_path / "app.yaml", tmp_path / "state", tmp_path / "log.jsonl"
    config.write_text(CONFIG)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("SIMPLETUNER", "GREENROOM"))}
    environ = {**known, "GREENROOM_HOME": str(state), "SIMPLETUNER_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "actors", "run", "--config", str(config)]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as supervisor:
        limit = threading.Timer(280, supervisor.kill)
        limit.start()
        try:
            assert supervisor.stdout is not None
            said = "HTTP is served at "
            address = next(line.partition(said)[2].split('"')[0] for line in supervisor.stdout if said in line)
            drain = threading.Thread(target=lambda: log.write_text(supervisor.stdout.read()))  # type: ignore[union-attr]
            drain.start()
            yield Served(address.rstrip("/"), (state / "token").read_text().strip(), log)
            supervisor.send_signal(signal.SIGTERM)
            assert supervisor.wait(30) == 0
            drain.join()
        finally:
            limit.cancel()
            supervisor.kill()
    errors = [line for line in log.read_text().splitlines() if json.loads(line)["level"] in ("ERROR", "CRITICAL")]
    assert errors == []


def things(served: Served) -> dict[str, str]:
    """A job that runs, a request that waits, a rule: so that what names one is answered by more than "not there"."""
    job = {"provider": "there", "spec": {"duration": 3600}}
    running = served.ask("POST", "/api/jobs", json=job)
    dear = served.ask("POST", "/api/jobs", json={**job, "config_name": "dear"})
    rule = served.ask("POST", "/api/approvals/rules", json={"name": "Any", "condition": "first_job"})
    return {
        "path.job_id": running["job_id"],
        "path.approval_id": dear["approval"]["approval_id"],
        "path.rule_id": rule["rule_id"],
    }


@pytest.mark.parts
@pytest.mark.parametrize("named", [False, True], ids=["names drawn", "names of what is there"])
def test_whatever_is_asked_is_answered_as_the_document_says(served: Served, tmp_path: Path, named: bool) -> None:
    settings = tmp_path / "schemathesis.toml"
    known = things(served) if named else {}
    settings.write_text(
        "[parameters]\n" + "\n".join(f'"{name}" = {json.dumps(value)}' for name, value in known.items())
    )
    command = [
        str(PROGRAM), "--config-file", str(settings), "run", f"{served.address}/api/openapi.json",
        "--header", f"Authorization: Bearer {served.token}", "--exclude-path-regex", ENDLESS, "--checks", CHECKS,
        "--phases", "coverage,fuzzing", "--max-examples", "15", "--seed", "1", "--generation-database", "none",
        "--suppress-health-check", "all", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "No failures" in done.stdout or " passed" in done.stdout
