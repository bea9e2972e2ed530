"""The fake Replicate in the same process, and a client of it; the fake as a program of its own."""

from __future__ import annotations

import httpx
import pytest

from actors.kernel import VirtualClock
from actors.testing.fake_replicate import FakeReplicate, FakeTransport
from tests.testing.fake_client import AUTH
from tests.testing.fake_program import a_fake, a_prism


@pytest.fixture
async def fake():
    return FakeReplicate(VirtualClock().now, token="t0ken")


@pytest.fixture
async def client(fake):
    async with httpx.AsyncClient(
        transport=FakeTransport(fake), base_url="https://api.example", headers=AUTH, timeout=20
    ) as client:
        yield client


@pytest.fixture(scope="module")
def program():
    with a_fake() as program:
        yield program


@pytest.fixture
def address(program):
    address = program.said[0].strip()
    yield address
    httpx.delete(f"{address}/_fake/faults")


@pytest.fixture(scope="module")
def prism(program):
    with a_prism(program) as origin:
        yield origin
