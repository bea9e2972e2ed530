"""A copy of the state directory that Greenroom 0.1.0 left."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import attrs
import pytest

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "state-0.1.0"


@attrs.frozen
class OldState:
    """`path`: the copy; `expected`: what is in it; `job_file`: submitted to it, its keys are kept there."""

    path: Path
    expected: dict[str, Any]
    job_file: Path = FIXTURE / "jobs.yaml"

    @property
    def database(self) -> Path:
        return self.path / "greenroom.db"

    def job_id(self, name: str) -> str:
        return str(self.expected["jobs"][name]["job_id"])


@pytest.fixture
def old_state(tmp_path: Path) -> OldState:
    with tarfile.open(FIXTURE / "state.tar.gz") as archive:
        archive.extractall(tmp_path, filter="tar")  # ours, and "data" would drop the directories' modes
    return OldState(tmp_path / "state", json.loads((FIXTURE / "expected.json").read_bytes()))
