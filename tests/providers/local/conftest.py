"""Real processes, none of which outlives its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.providers.local.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A provider on a folder of its own."""
    stage = Stage(tmp_path / "local")
    yield stage
    stage.clean_up()
    for provider in stage.providers:
        await provider.aclose()
