"""Copies of results, on a real disk: made before they vanish, whole or not at all, and from nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from actors.jobs.records import Phase
from actors.kernel import VirtualClock
from actors.providers.base import PushEvent, Submitted
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import TOKEN, FakeReplicate, FakeTransport, signed
from tests.providers.replicate.conftest import request

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@attrs.define
class Studio:
    """A fake account, the hosts beside it, and providers that copy into one folder."""

    root: Path
    clock: VirtualClock
    fake: FakeReplicate
    elsewhere: Answer | None = None
    asked: list[httpx.Request] = attrs.field(factory=list)

    def provider(self, **options: Any) -> ReplicateProvider:
        return ReplicateProvider(
            ReplicateOptions(**{"copy_results": True, "token_input": "token", **options}),
            self.root, now=self.clock.now, transport=_Hosts(self),
        )  # fmt: skip

    async def ended(self, provider: ReplicateProvider, output: Any = None) -> Submitted:
        """A job that has ended with ``output`` (None: a file at the account itself), and was seen to."""
        prepared = provider.prepare(request(seconds=10, output=output))
        submitted = await provider.submit("key-1", "token", prepared, {})
        self.clock.move(timedelta(seconds=11))
        view = await provider.observe_many({"key-1": submitted.handle})
        assert view.observations["key-1"].phase is Phase.SUCCEEDED
        return submitted

    def files(self) -> dict[str, bytes]:
        """What lies in the folder of the job's results."""
        folder = self.root / "results" / "key-1"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}

    def left(self) -> list[str]:
        """What is still to be copied, and pieces of what was begun."""
        folders = [self.root / "to-copy", self.root / "results"]
        return [path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.name != "key-1"]


class _Hosts(httpx.AsyncBaseTransport):
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.account = FakeTransport(studio.fake)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.studio.asked.append(request)
        if request.url.host == "api.replicate.com":
            return await self.account.handle_async_request(request)
        assert self.studio.elsewhere is not None
        return await self.studio.elsewhere(request)


@pytest.fixture
async def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    clock = VirtualClock()
    return Studio(tmp_path, clock, FakeReplicate(clock.now))


async def settled(provider: ReplicateProvider) -> None:
    """Let ``provider`` copy until one job is settled."""
    done = trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.watch, lambda _key: done.set())
            await done.wait()
            nursery.cancel_scope.cancel()


async def test_results_are_copied_and_stay(studio: Studio) -> None:
    """After an hour they are gone there, and here they are what `results` names."""
    provider = studio.provider()
    submitted = await studio.ended(provider)
    await settled(provider)
    studio.clock.move(timedelta(hours=2))
    (result,) = await provider.results("key-1", submitted.handle)
    assert result.expires_at is None
    path = trio.Path(result.url.removeprefix("file://"))
    assert await path.read_text() == f"the output of {submitted.handle['id']}\n"
    assert studio.left() == []
    await provider.aclose()


async def test_a_restart_forgets_no_copy(studio: Studio) -> None:
    """The wish is on the disk before the end is told: the next process fulfils it."""
    first = studio.provider()
    await studio.ended(first)
    await first.aclose()
    second = studio.provider()
    await settled(second)
    assert list(studio.files()) == ["001-out.txt"]
    await second.aclose()


async def delivery(request: httpx.Request) -> httpx.Response:
    await trio.lowlevel.checkpoint()
    return httpx.Response(200, content=b"weights of " + request.url.path.encode())


async def test_the_token_goes_to_no_other_origin(studio: Studio) -> None:
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/x/a.tar", "https://eu.replicate.delivery/y/a.tar"])
    await settled(provider)
    others = [request for request in studio.asked if request.url.host != "api.replicate.com"]
    assert len(others) == 2
    assert all(TOKEN not in value for request in others for value in request.headers.values())
    assert studio.files() == {"001-a.tar": b"weights of /x/a.tar", "002-a.tar": b"weights of /y/a.tar"}
    await provider.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://replicate.delivery/a",
        "https://replicate.delivery.evil.example/a",
        "https://evilreplicate.delivery/a",
        "https://replicate.delivery:8443/a",
        "https://user:word@replicate.delivery/a",
        "http://api.replicate.com/v1/account",
        "https://[::1]/a",
    ],
)
async def test_an_address_that_a_model_made_up_is_not_asked(url: str, studio: Studio) -> None:
    """Its output may name whatever it likes."""
    provider = studio.provider()
    await studio.ended(provider, [url])
    before = len(studio.asked)
    await settled(provider)
    assert [str(request.url.path) for request in studio.asked[before:]] == [studio.asked[before].url.path]
    assert studio.files() == {}
    assert studio.left() == []
    await provider.aclose()


async def test_results_beyond_the_bound_are_not_kept(studio: Studio) -> None:
    """Of one job together; what was begun is removed."""
    pieces = []

    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            await trio.lowlevel.checkpoint()
            pieces.append(1)
            return b"x" * 65536

    async def endless(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return httpx.Response(200, stream=Endless(), request=request)

    studio.elsewhere = endless
    provider = studio.provider(copy_bytes=1_000_000)
    await studio.ended(provider, ["https://replicate.delivery/a"])
    await settled(provider)
    assert len(pieces) < 30
    assert studio.files() == {}
    assert studio.left() == []
    await provider.aclose()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_cannot_be_had_is_tried_again_until_it_has_vanished(status: int, studio: Studio) -> None:
    """A redirect is not followed; the wish is kept for another try, and given up after its hour."""

    async def refuse(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    studio.elsewhere = refuse
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    assert provider._copies is not None
    (wish,) = provider._copies._wishes()
    assert not await provider._copies._fulfil(wish)
    assert studio.files() == {}
    assert [name for name in studio.left() if name.endswith(".json")] == ["key-1.json"]
    studio.clock.move(timedelta(hours=1, minutes=11))
    assert await provider._copies._fulfil(wish)
    assert studio.left() == []
    assert "evil.example" not in {request.url.host for request in studio.asked}
    await provider.aclose()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/out.txt", "001-out.txt"),
        ("/a/..%2f..%2fetc%2fpasswd", "001-_.._etc_passwd"),
        ("/a/..", "001-output"),
        ("/", "001-output"),
        ("/a/%00x", "001-_x"),
    ],
)
async def test_a_file_is_called_by_what_is_harmless(path: str, name: str, studio: Studio) -> None:
    """It lies in its job's folder, whatever its address was."""
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, [f"https://replicate.delivery{path}"])
    await settled(provider)
    assert list(studio.files()) == [name]
    await provider.aclose()


async def test_forgetting_a_job_removes_its_copies(studio: Studio) -> None:
    provider = studio.provider()
    submitted = await studio.ended(provider)
    await settled(provider)
    await provider.forget("key-1", submitted.handle)
    assert studio.files() == {}
    await provider.forget("../../etc", submitted.handle)
    await provider.aclose()


async def test_a_delivery_claims_nothing_where_results_are_copied(studio: Studio) -> None:
    """Its end would be told before anybody wrote down that there is something to copy."""
    provider = studio.provider()
    body = b'{"id": "abc", "status": "succeeded"}'
    headers = signed(studio.fake.secret, "msg_1", studio.clock.now(), body)
    event = provider.parse_push(headers, body, [studio.fake.secret], studio.clock.now())
    assert event == PushEvent("msg_1", "abc")
    await provider.aclose()
