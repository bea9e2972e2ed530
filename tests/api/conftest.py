"""The stage of the tests of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.testing.fake_replicate import TOKEN
from tests.api.webhook_stage import Stage, staged


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A runtime that is told by webhooks alone, in virtual time."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with staged() as stage:
        yield stage
