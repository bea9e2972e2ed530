"""The example of a sweep in a job file, run by the command that stands at its top."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.parts


def test_the_file_runs_as_it_says_and_again_runs_nothing(tmp_path: Path) -> None:
    content = (ROOT / "examples" / "matrix.yaml").read_text()
    (command,) = [line[1:].split() for line in content.splitlines() if "greenroom run" in line]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GREENROOM_", "SIMPLETUNER_"))}
    env |= {"HOME": str(tmp_path), "GREENROOM_HOME": str(tmp_path / "state"), "PYTHONPATH": str(ROOT), "TERM": "dumb"}

    def greenroom(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "actors", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=True,
            timeout=120,
        )  # fmt: skip
        return done.stdout

    assert "8 jobs: 8 completed" in greenroom(*command[1:])
    results = {job["config_name"]: job["result"] for job in json.loads(greenroom("jobs", "--json"))}
    assert results == {
        "baseline": {"loss": 2.3},
        **{
            f"rate-{lr}-{seed}": {"loss": float(lr), "seed": seed}
            for lr, seed in (("0.1", 1), ("0.20", 1), ("0.20", 2), ("1e-3", 1), ("1e-3", 2), ("0.5", 1), ("0.5", 7))
        },
    }
    assert "8 already there" in greenroom(*command[1:])
