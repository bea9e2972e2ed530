"""The client of remote providers: what is sent again, and how many, how fast, how long."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from functools import partial

import httpx
import pytest
import trio

from actors.providers import errors
from actors.providers.http import ATTEMPTS
from actors.providers.http_errors import retry_after
from actors.providers.rates import Rate
from tests.providers.outside import NOW, Asked, client_of


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_passes_is_tried_again_where_that_does_no_harm(autojump_clock, status):
    asked = Asked(httpx.Response(status), httpx.Response(200, json={}))
    assert (await client_of(asked).request("GET", "/jobs")).status == 200
    assert len(asked) == 2
    assert 0 < asked[1][0] - asked[0][0] < 2


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.ConnectError("refused"), httpx.ReadError("cut")])
async def test_the_tries_are_bounded(autojump_clock, answer):
    asked = Asked(answer)
    with pytest.raises(errors.Unavailable):
        await client_of(asked).request("GET", "/jobs")
    assert len(asked) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 404, 500, 501])
async def test_what_does_not_pass_is_not_tried_again(autojump_clock, status):
    asked = Asked(httpx.Response(status))
    with pytest.raises(errors.ProviderError):
        await client_of(asked).request("GET", "/jobs")
    assert len(asked) == 1


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(429), httpx.ReadError("cut")])
async def test_a_submission_is_sent_once(autojump_clock, answer):
    asked = Asked(answer)
    with pytest.raises(errors.ProviderError):
        await client_of(asked).request("POST", "/jobs", json={})
    assert len(asked) == 1


async def test_a_post_that_may_be_repeated_is(autojump_clock):
    asked = Asked(httpx.Response(503), httpx.Response(200))
    assert (await client_of(asked).request("POST", "/jobs/1/cancel", repeatable=True)).status == 200


async def test_the_provider_says_how_long_to_wait(autojump_clock):
    asked = Asked(httpx.Response(429, headers={"Retry-After": "4"}), httpx.Response(200))
    await client_of(asked).request("GET", "/jobs")
    assert 4 <= asked[1][0] - asked[0][0] <= 4.5


async def test_a_long_wait_is_the_callers_matter(autojump_clock):
    asked = Asked(httpx.Response(429, headers={"Retry-After": "60"}))
    with pytest.raises(errors.RateLimited) as caught:
        await client_of(asked).request("GET", "/jobs")
    assert (len(asked), caught.value.retry_after) == (1, 60.0)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "7", "ratelimit-reset": "9"}, b'{"retry_after": 8}', 7.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, b"", 30.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=30), usegmt=True)}, b"", 0.0),
        (
            {  # a date counts from the answer's own: our clock is 3 h ahead of theirs
                "retry-after": format_datetime(NOW - timedelta(hours=3, seconds=-40), usegmt=True),
                "date": format_datetime(NOW - timedelta(hours=3), usegmt=True),
            },
            b"",
            40.0,
        ),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True), "date": "today"}, b"", 30.0),
        ({"retry-after": "later", "ratelimit-reset": "9"}, b'{"retry_after": 8}', 8.0),
        ({"retry-after": "-1", "ratelimit-reset": "9"}, b"[]", 9.0),
        ({"retry-after": "inf"}, b'{"retry_after": "nan"}', None),
        ({}, b'{"retry_after": true}', None),
        ({}, b"", None),
    ],
)
def test_header_body_and_reset_are_believed_in_that_order(headers, body, seconds):
    assert retry_after(headers, body, NOW) == seconds


# Bounds.


async def test_no_more_requests_at_once_than_connections_and_cancelled_waiters_leave_no_trace(autojump_clock):
    """httpx's own pool fills for ever here: requests that were cancelled while they waited keep their place."""
    open_now = most = 0

    async def slow(_request):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            await trio.sleep(10)
        finally:
            open_now -= 1
        return httpx.Response(200)

    client = client_of(slow, max_connections=3)
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(partial(client.request, "POST", "/jobs", deadline=100))
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert most == 3
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(partial(client.request, "POST", "/jobs", deadline=100))
    assert trio.current_time() - started == 10


@pytest.mark.parametrize(("method", "kind"), [("GET", errors.Unavailable), ("POST", errors.OutcomeUnknown)])
async def test_a_whole_answer_has_a_deadline_however_it_drips(autojump_clock, method, kind):
    async def drip() -> AsyncIterator[bytes]:
        while True:
            await trio.sleep(1)
            yield b" "

    client = client_of(lambda _request: httpx.Response(200, content=drip()))
    started = trio.current_time()
    with pytest.raises(kind, match="within 5 s"):
        await client.request(method, "/jobs", deadline=5)
    assert trio.current_time() - started <= 5 * ATTEMPTS + 5


async def test_a_rate_is_kept_by_waiting(autojump_clock):
    asked = Asked(httpx.Response(200))
    client = client_of(asked, rates=[Rate("create", 60, 60.0)])
    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(partial(client.request, "GET", "/jobs", bucket="create"))
    times = [at for at, _ in asked]
    assert len(times) == 200
    for at in times:
        assert sum(at <= other < at + 60 - 1e-6 for other in times) <= 60
    assert times[-1] - times[0] < 240  # and the rate is used


async def test_other_buckets_do_not_wait_and_a_cancelled_waiter_takes_no_place(autojump_clock):
    asked = Asked(httpx.Response(200))
    client = client_of(asked, rates=[Rate("create", 1, 10.0)])
    await client.request("GET", "/jobs", bucket="create")
    with trio.move_on_after(1):
        await client.request("GET", "/jobs", bucket="create")
    await client.request("GET", "/jobs", bucket="other")
    assert trio.current_time() - asked[0][0] == 1
    await client.request("GET", "/jobs", bucket="create")
    assert trio.current_time() - asked[0][0] == pytest.approx(10)


@pytest.mark.parametrize("seed", range(5))
async def test_any_rate_is_kept_in_any_window(autojump_clock, seed):
    draw = random.Random(seed)
    rate = Rate("any", draw.randint(1, 50), draw.choice([1.0, 10.0, 60.0]))
    asked = Asked(httpx.Response(200))
    client = client_of(asked, rates=[rate], max_connections=1000)
    async with trio.open_nursery() as nursery:
        for _ in range(rate.calls * 4):
            nursery.start_soon(partial(client.request, "GET", "/", bucket="any"))
            await trio.sleep(draw.random() * rate.period / rate.calls / 2)
    times = [at for at, _ in asked]
    assert max(sum(at <= other < at + rate.period - 1e-6 for other in times) for at in times) <= rate.calls
