"""Real processes, none of which outlives its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.providers.local import LocalOptions, lost_jobs
from tests.providers.local.stage import USUAL, Stage, opened


@pytest.fixture
def options() -> LocalOptions:
    """Those of the stage's providers; a file of tests says otherwise by a fixture of this name."""
    return USUAL


@pytest.fixture
async def stage(tmp_path: Path, options: LocalOptions) -> AsyncIterator[Stage]:
    """A provider on a folder of its own."""
    async with opened(tmp_path / "local", options) as stage:
        yield stage


@pytest.fixture
def no_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where this process may make no control groups."""
    monkeypatch.setattr(lost_jobs, "cgroup_parent", lambda: None)
