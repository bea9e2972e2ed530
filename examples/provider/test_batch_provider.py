"""The provider keeps every promise: the suite that all providers of Greenroom pass, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from batch_provider import BatchOptions, BatchProvider
from batch_service import SimulatedService

from actors import JobRequest
from actors.kernel import VirtualClock
from actors.testing.conformance import Harness, NamedCheck, provider_conformance


def request(*command: str) -> JobRequest:
    return JobRequest(provider="batch", command=command)


@asynccontextmanager
async def harness() -> AsyncIterator[Harness]:
    service = SimulatedService(VirtualClock().now)
    yield Harness(
        BatchProvider(BatchOptions(), "batch", service),
        quick_request=lambda: request("echo", "hello"),
        long_request=lambda: request("sleep", "100000"),
        failing_request=lambda: request("false"),
        wait_change=partial(trio.sleep, 1),
        wrong_request=lambda: JobRequest(provider="batch", command=("true",), spec={"queue": "night"}),
        wrong_field="spec.queue",
        reopen=lambda: BatchProvider(BatchOptions(), "batch", service),
        unknown_handle={"id": "never-submitted"},
    )


@pytest.mark.parametrize("check", provider_conformance(harness), ids=str)
async def test_the_provider_conforms(check: NamedCheck, autojump_clock: trio.testing.MockClock) -> None:
    await check()
