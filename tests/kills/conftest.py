"""A state directory for supervisors that are killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kills.stage import Stage, opened


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Nothing that was started on it outlives the test."""
    async with opened(tmp_path) as stage:
        yield stage
