"""The local provider keeps what every provider promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobRequest
from actors.testing.conformance import Harness
from actors.testing.provider_promises import PROMISES, Promise
from tests.providers.local.stage import PATIENCE, opened


def request(*command: str) -> JobRequest:
    return JobRequest(command=command)


@asynccontextmanager
async def harness(root: Path) -> AsyncIterator[Harness]:
    async with opened(root) as stage:
        yield Harness(
            stage.provider,
            quick_request=partial(request, "echo", "done"),
            long_request=partial(request, "sleep", "1000"),
            failing_request=partial(request, "sh", "-c", "echo out of luck; exit 3"),
            wait_change=partial(trio.sleep, 0.01),
            wrong_request=lambda: JobRequest(command=("true",), spec={"image": "x"}),
            wrong_field="spec.image",
            reopen=stage.another,
            unknown_handle={"directory": "/nowhere"},
        )


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_local_provider_conforms(promise: Promise, tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE):
        async with harness(tmp_path) as checked:
            waiting = promise(checked)
            if waiting is not None:
                await waiting
