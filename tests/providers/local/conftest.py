"""Real processes, none of which outlives its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.providers.local.stage import Stage, opened


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A provider on a folder of its own."""
    async with opened(tmp_path / "local") as stage:
        yield stage
