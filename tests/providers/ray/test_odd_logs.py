"""Output that is not text: what can be shown is shown, and what cannot concerns that job alone."""

from __future__ import annotations

import httpx
import pytest
import trio

from actors.providers import errors
from actors.providers.base import LogChunk
from actors.providers.breaker import BreakerState
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.ray import RayOptions
from actors.providers.ray.cluster import Cluster
from actors.providers.ray.logs import Follower
from tests.providers.ray.canned import TRACEBACK, Canned, details, text
from tests.providers.ray.test_following import Tail, followed, served

LOGS, ONE = "GET /api/jobs/k1/logs", "GET /api/jobs/k1"
HANDLE = {"id": "k1"}
UNDECODABLE = text(500, TRACEBACK.format("'utf-8' codec can't decode byte 0xff in position 17"))


def raw(body: bytes) -> httpx.Response:
    return httpx.Response(200, content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"logs": "caf\xe9 und gr\xc3\xb6\xc3\x9fer\\n"}', "caf\ufffd und größer\n"),
        (b'{"logs": "half \\ud83d of a pair\\n"}', "half \ufffd of a pair\n"),
        (b'{"logs": "escaped \\udcff\\n"}', "escaped \ufffd\n"),
        (b'{"logs": "\xed\xa0\x80"}', "\ufffd\ufffd\ufffd"),
        (b'{"logs": null}', ""),
        (b'{"logs": ["x"]}', ""),
    ],
)
async def test_what_can_be_shown_is_shown(body: bytes, shown: str) -> None:
    chunks = [chunk async for chunk in Canned({LOGS: raw(body)}).provider().logs("k1", HANDLE)]
    assert b"".join(chunk.data for chunk in chunks).decode() == shown


async def test_a_log_that_the_head_cannot_read_fails_alone(autojump_clock: trio.testing.MockClock) -> None:
    """Asked for twenty times: the breaker stays closed, the job itself is seen and cancelled."""
    ray = Canned({LOGS: UNDECODABLE, ONE: details(), "POST /api/jobs/k1/stop": {"stopped": True}})
    provider = GuardedProvider(ray.provider())
    for _ in range(20):
        answer = await provider.logs("k1", HANDLE)
        assert isinstance(answer, Failure)
        assert "cannot read the output of job k1" in answer.message
        assert "can't decode byte 0xff" in answer.message
    assert provider.breaker.state is BreakerState.CLOSED
    assert not isinstance(await provider.observe_many({"k1": HANDLE}), Failure)
    assert not isinstance(await provider.cancel("k1", HANDLE), Failure)


async def test_a_log_is_shown_up_to_its_bound_and_then_says_so() -> None:
    provider = GuardedProvider(Canned({LOGS: {"logs": "x" * 3_000_000}}).provider(log_bytes=2_500_000))
    size, cursor = 0, None
    while isinstance(chunks := await provider.logs("k1", HANDLE, cursor), list):
        size += sum(len(chunk.data) for chunk in chunks)
        cursor = chunks[-1].cursor
    assert 2_000_000 < size <= 2_500_000
    assert "log_bytes" in chunks.message


async def test_following_shows_what_came_and_then_says_why_it_cannot_go_on() -> None:
    """The tail breaks off at the odd byte; at the job's end the whole cannot be read either."""
    tail = Tail([["eins\n"], ["eins\n"]])
    cluster = Cluster("ray", RayOptions(), Canned({LOGS: UNDECODABLE}).transport)
    into, out = trio.open_memory_channel[LogChunk](100)
    async with served(tail) as address:
        with trio.fail_after(60), pytest.raises(errors.ProviderError, match="cannot read the output"):
            await Follower(cluster, address, "k1", tail.has_ended, into).run()
    into.close()
    assert b"".join([chunk.data async for chunk in out]) == b"eins\n"


async def test_an_outage_at_the_last_moment_is_waited_out(autojump_clock: trio.testing.MockClock) -> None:
    """The head was restarted between the job's end and its last word."""
    tail = Tail([], ended=True)
    answers = Canned({LOGS: (*[httpx.ConnectError("refused")] * 7, {"logs": "eins\n"})})
    cluster = Cluster("ray", RayOptions(), answers.transport)
    address = "http://127.0.0.1:1"  # an ended job needs no connection
    chunks = await followed(lambda into: Follower(cluster, address, "k1", tail.has_ended, into).run())
    assert b"".join(chunk.data for chunk in chunks) == b"eins\n"


async def test_one_job_with_odd_text_hides_no_other_in_the_list() -> None:
    """A name with half a surrogate pair in it; numbers that are none."""
    listed = (
        b'[{"submission_id": "k1", "status": "RUNNING", "metadata": {"name": "\\ud83d \xff"}},'
        b' {"submission_id": "k2", "status": "RUNNING", "start_time": NaN}]'
    )
    view = await Canned({"GET /api/jobs/": raw(listed)}).provider().observe_many({"k1": HANDLE, "k2": {"id": "k2"}})
    assert view.observations.keys() == {"k1", "k2"}
