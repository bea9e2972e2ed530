"""The fake Replicate in the same process, and a client of it."""

from __future__ import annotations

import httpx
import pytest

from actors.kernel import VirtualClock
from actors.testing.fake_replicate import FakeReplicate, FakeTransport
from tests.testing.fake_client import AUTH


@pytest.fixture
async def fake():
    return FakeReplicate(VirtualClock().now, token="t0ken")


@pytest.fixture
async def client(fake):
    async with httpx.AsyncClient(
        transport=FakeTransport(fake), base_url="https://api.example", headers=AUTH, timeout=20
    ) as client:
        yield client
