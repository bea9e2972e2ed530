"""A subscription to one job names it as every command does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from trio_websocket import ConnectionClosed

from actors.runtime import RunningRuntime
from actors.testing import request

Client = Callable[..., AbstractAsyncContextManager[Any]]
LONG = 3600


async def test_a_job_is_subscribed_to_by_its_name(runtime: RunningRuntime, connect: Client) -> None:
    """By the subscriber's own first."""
    mine = await runtime.submit(request(config_name="train", user_id="bo", duration=LONG))
    await runtime.submit(request(config_name="train", user_id="cy", duration=LONG))
    async with connect() as client:
        assert (await client.subscribe(after=0, job_id="train"))["job_id"] == mine.job_id
        assert (await client.next())["job_id"] == mine.job_id


@pytest.mark.parametrize("text", ["train", "trian"])
async def test_a_job_that_is_none_or_anothers_ends_the_connection_with_the_reason(
    runtime: RunningRuntime, connect: Client, text: str
) -> None:
    await runtime.submit(request(config_name="train", user_id="cy", duration=LONG))
    async with connect("ana") as client:
        await client.say(type="subscribe", job_id=text)
        with pytest.raises(ConnectionClosed) as closed:
            await client.until("subscribed")
        assert (closed.value.reason.code, closed.value.reason.reason) == (1008, f"there is no job {text!r}")
