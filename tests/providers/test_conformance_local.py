"""The provider `local` keeps what every provider promises, with real processes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import JobRequest
from actors.providers.local import LocalOptions, LocalProvider
from actors.testing.conformance import Harness, NamedCheck, provider_conformance
from actors.testing.provider_promises import PROMISES


def request(script: str, **fields: Any) -> JobRequest:
    return JobRequest(provider="local", command=(sys.executable, "-I", "-S", "-c", script), **fields)


@asynccontextmanager
async def local_harness(root: Path) -> AsyncIterator[Harness]:
    """A provider on ``root`` that is watched; a change is whatever the watch tells."""
    provider = LocalProvider(LocalOptions(cpus=4, gpus=0, grace_seconds=5.0), root)
    changes, told = trio.open_memory_channel[str](100)

    def nudge(key: str) -> None:
        try:
            changes.send_nowait(key)
        except trio.WouldBlock:
            return  # enough of them wait to make the harness look again

    async def wait_change() -> None:
        await told.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(provider.watch, nudge)
        yield Harness(
            provider,
            quick_request=lambda: request("print('well')"),
            long_request=lambda: request("import signal; signal.pause()"),
            failing_request=lambda: request("raise SystemExit(3)"),
            wait_change=wait_change,
            wrong_request=lambda: JobRequest(provider="local"),
            wrong_field="command",
            reopen=lambda: LocalProvider(LocalOptions(cpus=4, gpus=0, grace_seconds=5.0), root),
            unknown_handle={"directory": "no-such-job"},
        )
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("number", range(len(PROMISES)), ids=lambda number: PROMISES[number].__name__)
async def test_the_local_provider_conforms(number: int, tmp_path: Path) -> None:
    """Each promise of the suite, on a fresh directory."""
    check: NamedCheck = provider_conformance(lambda: local_harness(tmp_path))[number]
    await check()
