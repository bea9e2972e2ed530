"""A remote on virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio

from actors.providers.scripted import ScriptedRemote

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.fixture
async def remote() -> ScriptedRemote:
    """The far side, whose clock is trio's: virtual where the test asks for ``autojump_clock``."""
    await trio.lowlevel.checkpoint()
    return ScriptedRemote(lambda: START + timedelta(seconds=trio.current_time()))
