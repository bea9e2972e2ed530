"""Accounts at a Replicate that exists in this process only."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.kernel import VirtualClock
from actors.testing.fake_replicate import TOKEN, FakeReplicate
from tests.providers.replicate.account import Account
from tests.providers.replicate.copying_studio import Studio


@pytest.fixture
async def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account, its token in the environment."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    clock = VirtualClock()
    return Account(clock, FakeReplicate(clock.now))


@pytest.fixture
async def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """An account whose results are copied into a folder."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    clock = VirtualClock()
    return Studio(tmp_path, clock, FakeReplicate(clock.now))
