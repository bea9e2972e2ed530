"""examples/chain.yaml, run as its comment says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.parts


def greenroom(home: Path, *words: str) -> str:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("GREENROOM_", "SIMPLETUNER_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{plain['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "actors", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**plain, "GREENROOM_HOME": str(home), "HOME": str(home.parent), "PATH": path, "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def jobs(home: Path) -> dict[str, Any]:
    """All jobs by their names."""
    return {job["config_name"]: job for job in json.loads(greenroom(home, "jobs", "--json"))}


def test_the_chain_runs_in_its_order_and_reports_the_better_fit(tmp_path: Path) -> None:
    home = tmp_path / "state"
    greenroom(home, "run", "--file", "examples/chain.yaml", "--until-idle", "--fail-on-failure")
    found = jobs(home)
    assert {job["status"] for job in found.values()} == {"completed"}
    assert found["report"]["result"] == {"best": "fit-line"}
    for name, before in (("fit-line", "prepare"), ("fit-mean", "prepare"), ("report", "fit-line"), ("tidy", "report")):
        assert found[name]["started_at"] >= found[before]["completed_at"]
    assert greenroom(home, "logs", found["tidy"]["job_id"]) == "prepare completed, report completed\n"
    assert "fit-line: loss" in greenroom(home, "logs", found["report"]["job_id"]).splitlines()[0]


def test_where_the_first_step_fails_all_but_the_last_are_cancelled(tmp_path: Path) -> None:
    home, file = tmp_path / "state", tmp_path / "chain.yaml"
    text = (ROOT / "examples" / "chain.yaml").read_text()
    file.write_text(text.replace("cwd: chain ", f"cwd: {ROOT}/examples/chain ").replace("chain.py, prepare]", "no.py]"))
    greenroom(home, "run", "--file", str(file), "--until-idle")
    found = jobs(home)
    assert {name: job["status"] for name, job in found.items()} == {
        "prepare": "failed", "fit-line": "cancelled", "fit-mean": "cancelled", "report": "cancelled",
        "tidy": "completed",
    }  # fmt: skip
    assert found["fit-line"]["error_message"] == "prepare, which it waits for, failed"
    assert greenroom(home, "logs", found["tidy"]["job_id"]) == "prepare failed, report cancelled\n"
