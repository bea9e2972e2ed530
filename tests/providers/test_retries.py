"""Our retries are told in our log alone; a host's own retries are told as the host has it (A20, B1)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stamina
import trio
from stamina.instrumentation import get_on_retry_hooks, set_on_retry_hooks
from trio.testing import MockClock

from actors.kernel.retry_log import ensure_retry_log
from logconf import bind_correlation_id, get_correlation_id
from tests.providers.outside import Asked, client_of


@pytest.fixture(autouse=True)
def hooks_are_put_back() -> Iterator[None]:
    before = get_on_retry_hooks()
    yield
    set_on_retry_hooks(before)


async def ours() -> None:
    """One retry of a request of ours."""
    asked = Asked(httpx.Response(503), httpx.Response(200, json={}))
    await client_of(asked).request("GET", "/jobs")
    assert len(asked) == 2


async def of_the_host() -> None:
    """One retry of something that a host retries by the same library."""
    tries = 0
    async for attempt in stamina.retry_context(on=KeyError, attempts=2, timeout=None):
        with attempt:
            await trio.lowlevel.checkpoint()
            tries += 1
            if tries == 1:
                raise KeyError("of the host")


async def test_a_retry_is_one_line_of_our_log_and_nothing_on_stdout(
    autojump_clock: MockClock, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Under stamina's defaults, which print where structlog is installed and log a line of their own else."""
    caplog.set_level(logging.DEBUG)
    set_on_retry_hooks(None)
    ids = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ids.append(get_correlation_id())

    logger, noting = logging.getLogger("actors.kernel.retry_log"), Noting()
    logger.addHandler(noting)
    with bind_correlation_id("of-the-job"):
        await ours()
    logger.removeHandler(noting)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    lines = [record for record in caplog.records if record.name in ("actors.kernel.retry_log", "stamina")]
    assert [(record.name, record.levelname) for record in lines] == [("actors.kernel.retry_log", "INFO")]
    assert "cloud" in lines[0].getMessage()
    assert ids == ["of-the-job"]


async def test_a_hosts_hooks_hear_of_the_hosts_retries_and_not_of_ours(autojump_clock: MockClock) -> None:
    """Whether they were set before our first request or after it, and they are called once each."""
    heard: list[Any] = []
    set_on_retry_hooks([lambda details: heard.append(details.caused_by)])
    await ours()
    await of_the_host()
    set_on_retry_hooks([lambda details: heard.append(details.caused_by)])
    await of_the_host()
    await ours()
    await of_the_host()
    assert [type(cause) for cause in heard] == [KeyError] * 3


async def test_our_hook_is_there_once(autojump_clock: MockClock) -> None:
    set_on_retry_hooks([])
    for _ in range(3):
        ensure_retry_log()
    assert len(get_on_retry_hooks()) == 1
