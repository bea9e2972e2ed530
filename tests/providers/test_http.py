"""The client of remote providers: bounded, to one origin, and each failure told as what it means."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import httpx
import pytest
import trio

from actors.http_client import TransportOptions
from actors.providers import errors
from actors.providers.base import Rate
from actors.providers.http import ATTEMPTS, ProviderClient
from actors.providers.http_errors import retry_after, sample
from logconf.masking import MASK, mask_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "r8-not-a-real-one-0123456789"


def client_of(answer: Callable[[httpx.Request], httpx.Response], **options) -> ProviderClient:
    """A client whose outside is ``answer``."""
    options.setdefault("headers", lambda: {"Authorization": f"Bearer {TOKEN}"})
    return ProviderClient(
        "cloud", "https://cloud.invalid", transport=httpx.MockTransport(answer), now=lambda: NOW, **options
    )


def always(status: int, **answer) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _request: httpx.Response(status, **answer)


class Asked(list):
    """Remembers requests and answers from a list, the last answer for ever."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = answers

    def __call__(self, request):
        self.append((trio.current_time(), request))
        answer = self.answers[min(len(self), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


# Statuses.


@pytest.mark.parametrize(
    ("status", "asking", "posting"),
    [
        (400, errors.Invalid, errors.Invalid),
        (401, errors.Auth, errors.Auth),
        (402, errors.Forbidden, errors.Forbidden),
        (403, errors.Forbidden, errors.Forbidden),
        (404, errors.NotFound, errors.NotFound),
        (408, errors.Unavailable, errors.OutcomeUnknown),
        (409, errors.Conflict, errors.Conflict),
        (418, errors.ProviderError, errors.ProviderError),
        (422, errors.Invalid, errors.Invalid),
        (429, errors.RateLimited, errors.RateLimited),
        (500, errors.Unavailable, errors.OutcomeUnknown),
        (502, errors.Unavailable, errors.OutcomeUnknown),
        (503, errors.Unavailable, errors.OutcomeUnknown),
        (504, errors.Unavailable, errors.OutcomeUnknown),
        (302, errors.Protocol, errors.Protocol),
        (304, errors.Protocol, errors.Protocol),
    ],
)
async def test_what_a_status_means_depends_on_whether_the_request_may_have_taken_effect(
    autojump_clock, status, asking, posting
):
    client = client_of(always(status, json={"detail": "so it is"}))
    for method, kind in (("GET", asking), ("POST", posting)):
        with pytest.raises(kind) as caught:
            await client.request(method, "/jobs")
        assert type(caught.value) is kind


async def test_a_status_that_is_an_answer_here_is_given_back():
    answer = await client_of(always(404, json={"detail": "gone"})).request("POST", "/jobs/1/cancel", accept=(404,))
    assert (answer.status, answer.object()) == (404, {"detail": "gone"})


async def test_a_401_says_the_setting_and_never_the_token():
    client = client_of(always(401, text=f"bad token {TOKEN}"), auth="cloud does not accept the token in $CLOUD_TOKEN")
    with pytest.raises(errors.Auth) as caught:
        await client.request("GET", "/jobs")
    assert str(caught.value) == "cloud does not accept the token in $CLOUD_TOKEN"


async def test_what_a_provider_says_is_told_without_secrets_and_control_characters():
    client = client_of(always(400, text=f"no:\r\n\x1b[31m{TOKEN} is wrong {'x' * 5000}"))
    with pytest.raises(errors.Invalid) as caught:
        await client.request("GET", "/jobs")
    said = str(caught.value)
    assert TOKEN not in said
    assert MASK in said
    assert said.isprintable()
    assert len(said) < 300


async def test_a_credential_is_masked_in_every_line_from_its_first_use_on():
    await client_of(always(200), headers=lambda: {"Authorization": "Bearer another-secret-of-mine"}).request("GET", "/")
    assert mask_text("I saw another-secret-of-mine") == f"I saw {MASK}"


@pytest.mark.parametrize("token", ["new\nline-in-it", "é-in-it-is-not-ascii", "nul\0-in-it"])
async def test_a_token_that_no_header_can_carry_is_an_auth_error_that_does_not_show_it(token):
    asked = Asked(httpx.Response(200))
    with pytest.raises(errors.Auth) as caught:
        await client_of(asked, headers=lambda: {"Authorization": f"Bearer {token}"}).request("GET", "/jobs")
    assert token not in str(caught.value)
    assert asked == []


# Bodies.


async def test_json_that_is_none_is_a_protocol_error_with_its_beginning():
    answer = await client_of(always(200, text="<html>welcome</html>")).request("GET", "/jobs")
    with pytest.raises(errors.Protocol, match="<html>welcome"):
        answer.json()
    answer = await client_of(always(200, json=[1])).request("GET", "/jobs")
    assert answer.json() == [1]
    with pytest.raises(errors.Protocol, match="no JSON object"):
        answer.object()


async def test_a_body_larger_than_asked_for_is_not_read_to_its_end():
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            await trio.lowlevel.checkpoint()
            yield b"x" * 1000

    client = client_of(lambda _request: httpx.Response(200, content=endless()))
    with pytest.raises(errors.Protocol, match="more than 10000 bytes"):
        await client.request("GET", "/jobs", most_bytes=10_000)
    assert sent <= 12_000


async def test_a_packed_body_is_refused_for_it_may_unpack_to_anything():
    asked = Asked(httpx.Response(200, content=b"x", headers={"Content-Encoding": "br"}))
    with pytest.raises(errors.Protocol, match="packed"):
        await client_of(asked).request("GET", "/jobs")
    assert asked[0][1].headers["accept-encoding"] == "identity"


async def test_json_goes_out_as_json_and_bytes_as_they_are():
    asked = Asked(httpx.Response(201))
    client = client_of(asked)
    await client.request("POST", "/jobs", json={"a": 1}, headers={"Cancel-After": "5s"})
    await client.request("PUT", "/packages/1", content=b"zip", params={"kind": "zip"})
    first, second = (request for _, request in asked)
    assert (first.content, first.headers["content-type"], first.headers["cancel-after"]) == (
        b'{"a":1}', "application/json", "5s",
    )  # fmt: skip
    assert (second.content, second.url.query) == (b"zip", b"kind=zip")


# Where to.


@pytest.mark.parametrize("path", ["jobs", "//evil.invalid/jobs", "https://evil.invalid/jobs", "", ":8080/x", "@evil/x"])
async def test_no_request_leaves_the_configured_origin(path):
    asked = Asked(httpx.Response(200))
    with pytest.raises(errors.Protocol):
        await client_of(asked).request("GET", path)
    assert asked == []


async def test_a_redirect_is_not_followed():
    asked = Asked(httpx.Response(307, headers={"Location": "https://evil.invalid/steal"}))
    with pytest.raises(errors.Protocol, match=r"redirect to evil\.invalid"):
        await client_of(asked).request("GET", "/jobs")
    assert len(asked) == 1


async def test_a_cursor_is_followed_at_this_provider_only():
    client = client_of(always(200))
    assert client.path_of("https://cloud.invalid/v1/jobs?cursor=a%3D") == "/v1/jobs?cursor=a%3D"
    assert client.path_of("https://cloud.invalid:443/v1/jobs") == "/v1/jobs"
    for url in (
        "https://evil.invalid/v1/jobs", "http://cloud.invalid/v1/jobs", "https://cloud.invalid:8443/v1/jobs",
        "https://cloud.invalid@evil.invalid/", "//evil.invalid/", "https://cloud.invalid.evil.invalid/", "http://[",
    ):  # fmt: skip
        with pytest.raises(errors.Protocol):
            client.path_of(url)


async def test_a_cursor_stays_below_the_path_of_the_base_address():
    client = ProviderClient("cloud", "https://host.invalid/api/", transport=httpx.MockTransport(always(200)))
    assert client.path_of("https://host.invalid/api/jobs?x=1") == "/jobs?x=1"
    for url in ("https://host.invalid/apix/jobs", "https://host.invalid/other", "https://host.invalid/api/../admin"):
        with pytest.raises(errors.Protocol):
            client.path_of(url)


@pytest.mark.parametrize(
    "address", ["cloud.invalid", "ftp://cloud.invalid", "https://", "https://u:p@cloud.invalid", "https://c.invalid/?a"]
)
def test_an_address_that_is_none_is_refused_without_showing_a_password(address):
    with pytest.raises(ValueError) as caught:
        ProviderClient("cloud", address)
    assert "u:p@" not in str(caught.value)


# Again.


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


# Connections, real ones on loopback.

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Serve) -> AsyncIterator[tuple[ProviderClient, list[int]]]:
    """A client of a server that reads one request's head and then does ``answer``; how many connections it had."""
    connections: list[int] = []

    async def handle(stream: trio.SocketStream) -> None:
        connections.append(1)
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (some := await stream.receive_some()):
                    return
                head += some
            try:
                await answer(stream)
            except trio.BrokenResourceError:
                return

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        client = ProviderClient("cloud", f"http://127.0.0.1:{port}", transport_from=TransportOptions(timeout=30))
        yield client, connections
        await client.aclose()
        nursery.cancel_scope.cancel()


async def closes_at_once(_stream: trio.SocketStream) -> None:
    await trio.lowlevel.checkpoint()


async def cuts_the_body(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


async def cuts_the_head(stream: trio.SocketStream) -> None:
    await stream.send_all(b"HTTP/1.1 200 O")


async def talks_nonsense(stream: trio.SocketStream) -> None:
    await stream.send_all(b"\x00\x01SSH-2.0-OpenSSH_9\r\n\r\n")


@pytest.mark.parametrize("answer", [closes_at_once, cuts_the_body, cuts_the_head, talks_nonsense])
async def test_a_request_that_was_sent_and_not_answered_is_unknown_unless_it_only_asked(answer):
    async with serving(answer) as (client, connections):
        with pytest.raises(errors.OutcomeUnknown, match="its answer was lost"):
            await client.request("POST", "/jobs", json={})
        assert len(connections) == 1
        with pytest.raises(errors.Unavailable):
            await client.request("PUT", "/jobs", repeatable=True)


async def test_a_refusal_counts_whatever_becomes_of_its_body():
    async def cut(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 1000\r\n\r\n{")

    async with serving(cut) as (client, _):
        with pytest.raises(errors.Conflict):
            await client.request("POST", "/jobs", json={})


async def test_an_answer_that_never_comes_is_unknown_for_a_submission():
    got = trio.Event()

    async def hang(_stream: trio.SocketStream) -> None:
        got.set()
        await trio.sleep_forever()

    async with serving(hang) as (client, _):
        with pytest.raises(errors.OutcomeUnknown, match="did not answer whole"):
            await client.request("POST", "/jobs", json={}, deadline=0.2)
        assert got.is_set()


async def test_nobody_listening_is_surely_not_accepted():
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    client = ProviderClient("cloud", f"http://127.0.0.1:{port}")
    with pytest.raises(errors.Unavailable, match="cannot be reached"):
        await client.request("POST", "/jobs", json={})
    await client.aclose()


async def test_a_deadline_that_passes_while_connecting_is_surely_not_accepted():
    """A listener whose queue is full lets nobody in: no byte of the request was sent."""
    listener = trio.socket.socket()
    await listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    fillers = []
    for _ in range(3):  # Linux keeps one more than it is told; a connect that hangs shows that the queue is full
        filler = trio.socket.socket()
        fillers.append(filler)
        with trio.move_on_after(0.1):
            await filler.connect(address)
    client = ProviderClient("cloud", f"http://127.0.0.1:{address[1]}")
    with pytest.raises(errors.Unavailable, match="could not be connected to"):
        await client.request("POST", "/jobs", json={}, deadline=0.3)
    await client.aclose()
    for one in (*fillers, listener):
        one.close()


async def test_a_configured_proxy_is_gone_through():
    seen: list[bytes] = []

    async def proxy(stream: trio.SocketStream) -> None:
        async with stream:
            seen.append(await stream.receive_some())
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, proxy, 0, host="127.0.0.1"))
        address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        client = ProviderClient("cloud", "http://cloud.invalid", proxy=address)
        assert (await client.request("GET", "/jobs")).object() == {}
        await client.aclose()
        nursery.cancel_scope.cancel()
    assert seen[0].startswith(b"GET http://cloud.invalid/jobs HTTP/1.1\r\n")


def test_a_sample_is_one_short_line():
    assert sample(b"\xff\xfe a\n\tb \x00") == "\ufffd\ufffd a b"
    assert len(sample("x" * 10_000)) == 200
