"""schemathesis against a real supervisor: no 5xx, and every answer is one that the OpenAPI document shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.supervised import Served, serving

PROGRAM = Path(sys.executable).with_name("schemathesis")
CONFIG = """
http: {port: 0, requests_per_minute: 1000000}
providers: {local: null, there: {kind: scripted}}
approvals: {rules: [{name: Dear, condition: config_pattern, value: dear}]}
"""
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
ENDLESS = "^/api/events$|/logs"
"""Streams, which have tests of their own."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A supervisor with simulated jobs."""
    if not PROGRAM.exists():
        pytest.skip("schemathesis is not installed: pip install 'greenroom[parts]', as .ci/run does")
    config = tmp_path / "app.yaml"
    config.write_text(CONFIG)
    with serving(config, tmp_path / "state") as supervisor:
        yield supervisor


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
        "--phases", "coverage,fuzzing", "--max-examples", "6", "--seed", "1", "--generation-database", "none",
        "--suppress-health-check", "all", "--continue-on-failure", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    tried = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert tried is not None, done.stdout[-2000:]
    assert int(tried[1]) > 300
