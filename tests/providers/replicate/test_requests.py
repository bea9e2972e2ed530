"""What leaves this machine: to the configured origin alone, with the token in one header, nothing repeated blindly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest
from actors.kernel import VirtualClock
from actors.providers.base import CancelAck
from actors.providers.errors import Auth, Forbidden, Invalid, OutcomeUnknown, Protocol, ProviderError, Unavailable
from actors.providers.log_notices import LogNotice
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import TOKEN, FakeTransport, Fault, FaultKind
from tests.providers.replicate.account import Account, request

BASE = "https://gateway.example:8443/replicate"
HANDLE = {"kind": "prediction", "id": "abc"}


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    return TOKEN


def provider_of(answer: Callable[[httpx.Request], httpx.Response], seen: list[httpx.Request]) -> ReplicateProvider:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(request)

    options = ReplicateOptions(base_url=BASE, token_input="token", settle_seconds=0)
    return ReplicateProvider(options, now=VirtualClock().now, transport=httpx.MockTransport(handle))


def job(number: int = 0, **changes: Any) -> dict[str, Any]:
    urls = {"get": "https://evil.example/v1/predictions/abc", "cancel": "https://evil.example/cancel"}
    return {"id": f"abc{number or ''}", "status": "processing", "urls": urls, **changes}


async def every_call(provider: ReplicateProvider) -> None:
    """Each call that asks Replicate for something."""
    await provider.check()
    await provider.submit("key-1", "token", provider.prepare(request()), {})
    await provider.find("key-2", "token")
    await provider.observe_many({"a": HANDLE})
    await provider.observe_many({f"key-{n}": {"kind": "prediction", "id": f"abc{n}"} for n in range(1, 300)})
    await provider.cancel("key-1", HANDLE)
    assert [chunk async for chunk in provider.logs("key-1", HANDLE)] == []
    await provider.delivery_secrets()


def misleading(request: httpx.Request) -> httpx.Response:
    """A server that calls every other server its own."""
    path = request.url.path.removeprefix("/replicate")
    if path in ("/v1/predictions", "/v1/trainings") and request.method == "GET":
        here = request.url.params.get("cursor", "0")
        body = {
            "results": [job(number) for number in range(int(here) * 100, int(here) * 100 + 100)],
            "next": f"https://evil.example/v1/predictions?cursor={int(here) + 1}" if int(here) < 3 else None,
        }
        return httpx.Response(200, json=body)
    if path == "/v1/webhooks/default/secret":
        return httpx.Response(200, json={"key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    return httpx.Response(200, json={**job(), "username": "ana"})


async def test_no_request_leaves_the_configured_origin(token: str, autojump_clock: MockClock) -> None:
    """Whatever ``next`` and ``urls`` say; below the configured path, with the token in its header and nowhere else."""
    seen: list[httpx.Request] = []
    await every_call(provider_of(misleading, seen))
    assert len(seen) > 10
    assert {(request.url.scheme, request.url.host, request.url.port) for request in seen} == {
        ("https", "gateway.example", 8443)
    }
    assert all(request.url.path.startswith("/replicate/v1/") for request in seen)
    assert {request.headers["authorization"] for request in seen} == {f"Bearer {token}"}
    assert all(token not in str(request.url) and token.encode() not in request.content for request in seen)


async def test_pages_are_followed_by_their_cursor_alone(token: str, autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    provider = provider_of(misleading, seen)
    view = await provider.observe_many({f"key-{n}": {"kind": "prediction", "id": f"abc{n}"} for n in range(1, 300)})
    assert len(view.observations) == 299
    assert [request.url.params.get("cursor") for request in seen] == [None, "1", "2"]


@pytest.mark.parametrize("circle", [["same"], ["here", "there"]], ids=len)
async def test_cursors_that_lead_in_a_circle_end(circle: list[str], token: str, autojump_clock: MockClock) -> None:
    """Nobody asks for ever, whatever a server says is next."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/predictions"):
            cursor = request.url.params.get("cursor", "")
            following = circle[(circle.index(cursor) + 1) % len(circle)] if cursor in circle else circle[0]
            return httpx.Response(200, json={"results": [job()], "next": f"{BASE}/v1/predictions?cursor={following}"})
        return httpx.Response(404)

    seen: list[httpx.Request] = []
    handles = {f"key-{n}": {"kind": "prediction", "id": f"abc{n or ''}"} for n in range(5)}
    view = await provider_of(answer, seen).observe_many(handles)
    assert (len(view.observations), len(view.absent)) == (1, 4)
    assert len(seen) <= 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, token: str, autojump_clock: MockClock) -> None:
    seen: list[httpx.Request] = []
    provider = provider_of(lambda _request: httpx.Response(status, headers={"location": "https://evil.example/"}), seen)
    for call in (
        lambda: provider.check(),
        lambda: provider.submit("key-1", "token", provider.prepare(request()), {}),
        lambda: provider.observe_many({"a": HANDLE}),
        lambda: provider.logs("a", HANDLE).__anext__(),
    ):
        with pytest.raises(Protocol, match=r"a redirect to evil\.example"):
            await call()
    assert {request.url.host for request in seen} == {"gateway.example"}


@pytest.mark.parametrize("name", ["replicate", "theirs"])
async def test_a_wrong_token_gets_one_message_that_names_the_setting(
    name: str, account: Account, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Never the token."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_WrongWrongWrong")
    provider = account.provider()
    if name != "replicate":
        provider = ReplicateProvider(name=name, now=account.clock.now, transport=FakeTransport(account.fake))
    with pytest.raises(Auth) as caught:
        await provider.check()
    setting = f"(providers.{name}.api_token_env)"
    assert str(caught.value) == f"Replicate does not accept the token in $REPLICATE_API_TOKEN {setting}"
    assert "r8_" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "  "])
async def test_a_missing_token_is_told_without_a_request(
    value: str | None, account: Account, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    if value is None:
        monkeypatch.delenv("REPLICATE_API_TOKEN")
    else:
        monkeypatch.setenv("REPLICATE_API_TOKEN", value)
    with pytest.raises(Auth, match=r"needs an API token in \$REPLICATE_API_TOKEN .*which is not set"):
        await account.provider().check()
    assert not account.fake.requests


async def test_check_says_whose_account_it_is(account: Account, autojump_clock: MockClock) -> None:
    assert (await account.provider().check())["account"] == "greenroom"


@pytest.mark.parametrize(
    ("status", "error"), [(402, Forbidden), (403, Forbidden), (422, Invalid), (404, Invalid), (500, OutcomeUnknown)]
)
async def test_what_a_refused_creation_means(
    status: int, error: type[ProviderError], token: str, autojump_clock: MockClock
) -> None:
    """A model or destination that is not there is a wrong request; a server's own fault may have made the job."""
    seen: list[httpx.Request] = []
    no, yes = httpx.Response(status, json={"detail": "no"}), httpx.Response(200, json={})
    provider = provider_of(lambda request: no if request.method == "POST" else yes, seen)
    with pytest.raises(error):
        await provider.submit("key-1", "token", provider.prepare(request()), {})
    assert [request.method for request in seen] == ["GET", "POST"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"id": "a/b"}', b'{"id": 7}'])
async def test_an_accepted_creation_that_cannot_be_read_is_not_taken_for_a_refusal(
    body: bytes, token: str, autojump_clock: MockClock
) -> None:
    provider = provider_of(lambda _request: httpx.Response(201, content=body), [])
    with pytest.raises(Protocol):
        await provider.submit("key-1", "token", provider.prepare(request()), {})


async def test_a_created_job_without_a_status_is_there_all_the_same(token: str, autojump_clock: MockClock) -> None:
    provider = provider_of(lambda _request: httpx.Response(201, json={"id": "abc"}), [])
    submitted = await provider.submit("key-1", "token", provider.prepare(request()), {})
    assert (submitted.handle, submitted.observation) == (HANDLE, None)


async def test_the_deadline_goes_with_the_creation(account: Account, autojump_clock: MockClock) -> None:
    """And Replicate ends the job by it, which is seen as a time-out."""
    provider = account.provider()
    prepared = provider.prepare(request(max_runtime=30, seconds=1000))
    submitted = await provider.submit("key-1", "token", prepared, {})
    (call,) = account.fake.calls("POST")
    assert call.headers["cancel-after"] == "30s"
    await trio.sleep(31)
    view = await provider.observe_many({"key-1": submitted.handle})
    assert view.observations["key-1"].phase == "timed_out"


# Cancelling: whatever is answered, the job itself tells.


@pytest.mark.parametrize("status", [404, 409, 422])
@pytest.mark.parametrize(
    ("told", "ack"),
    [
        ({"status": "succeeded"}, CancelAck.ALREADY_TERMINAL),
        ({"status": "processing"}, CancelAck.TOO_LATE),
        (None, CancelAck.UNKNOWN_JOB),
    ],
    ids=["ended", "runs", "unknown"],
)
async def test_a_refused_cancel_is_settled_by_the_job_itself(
    status: int, told: dict[str, Any] | None, ack: CancelAck, token: str, autojump_clock: MockClock
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(status, json={"detail": "no"})
        return httpx.Response(404) if told is None else httpx.Response(200, json=job(**told))

    assert await provider_of(answer, []).cancel("key-1", HANDLE) is ack


async def test_a_cancel_that_is_answered_by_nonsense_is_settled_too(token: str, autojump_clock: MockClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="ok") if request.method == "POST" else httpx.Response(200, json=job())

    assert await provider_of(answer, []).cancel("key-1", HANDLE) is CancelAck.TOO_LATE


# Logs.


async def test_logs_go_on_where_they_were_while_the_job_runs(account: Account, autojump_clock: MockClock) -> None:
    provider = account.provider()
    lines = "".join(f"step {number} ü\n" for number in range(100))
    submitted = await account.submit(provider, seconds=100, logs=lines)
    read, cursor = b"", None
    for _ in range(11):
        await trio.sleep(10)
        async for chunk in provider.logs("key-1", submitted.handle, cursor):
            read, cursor = read + chunk.data, chunk.cursor
    assert read == lines.encode()


async def test_a_reader_whose_place_is_gone_is_told(account: Account, autojump_clock: MockClock) -> None:
    """As when Replicate has forgotten the output, an hour after the end."""
    provider = account.provider()
    submitted = await account.submit(provider, seconds=5, logs="words\n")
    await trio.sleep(6)
    chunks = [chunk async for chunk in provider.logs("key-1", submitted.handle, "100")]
    assert [(type(chunk.data), chunk.cursor) for chunk in chunks] == [(LogNotice, "6")]


@pytest.mark.parametrize("cursor", ["-1", "1.5", "x", "9" * 20, ""])
async def test_a_cursor_that_was_never_given_is_refused(
    cursor: str, account: Account, autojump_clock: MockClock
) -> None:
    with pytest.raises(Invalid, match="is not one that this provider gave"):
        await account.provider().logs("key-1", HANDLE, cursor).__anext__()


async def test_what_vanished_after_an_hour_is_gone_without_an_error(
    account: Account, autojump_clock: MockClock
) -> None:
    provider = account.provider()
    submitted = await account.submit(provider, seconds=5, logs="words\n")
    await trio.sleep(6)
    before = await provider.observe_many({"key-1": submitted.handle})
    await trio.sleep(3601)
    assert [chunk async for chunk in provider.logs("key-1", submitted.handle)] == []
    after = await provider.observe_many({"key-1": submitted.handle})
    assert after.observations["key-1"].phase == before.observations["key-1"].phase == "succeeded"
    assert after.observations["key-1"].output_url is None


async def test_one_that_is_down_is_unavailable_and_made_without_a_connection(
    account: Account, autojump_clock: MockClock
) -> None:
    """Nothing is asked while the provider is made: a start goes on."""
    account.fake.inject(Fault(FaultKind.REFUSED, times=None))
    provider = account.provider()
    assert not account.fake.requests
    with pytest.raises(Unavailable):
        await provider.check()
    with pytest.raises(Unavailable):
        await account.submit(provider)


def test_a_request_body_is_what_was_prepared(token: str) -> None:
    prepared = ReplicateProvider().prepare(JobRequest(provider="replicate", spec={"model": "ana/lora"}))
    assert orjson.loads(orjson.dumps(prepared.body["json"])) == {"input": {}}
