"""Copies of results, on a real disk: made before they vanish, whole or not at all, and from nowhere else."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing

from actors.jobs.records import Phase
from actors.kernel import VirtualClock
from actors.providers.base import Submitted
from actors.providers.deliveries import DeliveryEvent, Rejected
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.providers.replicate.copying import FILES_AT_ONCE
from actors.providers.replicate.downloading import UNFINISHED
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
    """After an hour they are gone there, and still here."""
    provider = studio.provider()
    submitted = await studio.ended(provider)
    await settled(provider)
    studio.clock.move(timedelta(hours=2))
    assert studio.files() == {"001-out.txt": f"the output of {submitted.handle['id']}\n".encode()}
    assert studio.left() == []
    await provider.aclose()


async def test_a_restart_forgets_no_copy(studio: Studio) -> None:
    """The pending is on the disk before the end is told: the next process fulfils it."""
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


def packed(layers: int) -> bytes:
    content = b"\0" * (8 << 20)
    for _ in range(layers):
        content = gzip.compress(content)
    return content


class Sent(httpx.AsyncByteStream):
    """A body as it is on the wire, of ``content`` for so many times."""

    def __init__(self, content: bytes, times: int = 1) -> None:
        self.content = content
        self.left = times

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return self.content


def remarks(provider: ReplicateProvider) -> list[str]:
    """What was said of jobs that have ended."""
    found = []
    with suppress(trio.WouldBlock):
        while True:
            remark = provider.remarks.receive_nowait()
            assert remark.key == "key-1"
            found.append(remark.text)
    return found


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br", "deflate", "x-unknown", "identity, gzip"])
async def test_a_packed_result_is_refused_and_not_unpacked(
    encoding: str, studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    """We asked for none; 8 MiB of zeros have 60 bytes when they are packed twice."""
    body = Sent(packed(encoding.count("gzip")))

    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"content-encoding": encoding}, stream=body)

    studio.elsewhere = answer
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    await settled(provider)
    assert (studio.files(), studio.left()) == ({}, [])
    assert body.left == 1
    (said,) = remarks(provider)
    assert "packed" in said
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "packed" in warning.message
    assert warning.job_id == "key"  # type: ignore[attr-defined]
    await provider.aclose()


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize(
    ("options", "files", "setting"),
    [({"copy_file_bytes": 100_000}, 1, "copy_file_bytes"), ({"copy_bytes": 200_000}, 3, "copy_bytes")],
)
async def test_what_is_written_is_bounded(
    announced: bool, options: dict[str, Any], files: int, setting: str, studio: Studio
) -> None:
    """Of one file, and of one job; what announces too much is not read at all."""
    sent: list[Sent] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        sent.append(Sent(b"x" * 10_000, 15))
        headers = {"content-length": "150000"} if announced else {}
        return httpx.Response(200, headers=headers, stream=sent[-1])

    studio.elsewhere = answer
    provider = studio.provider(**options)
    await studio.ended(provider, [f"https://replicate.delivery/{number}" for number in range(files)])
    await settled(provider)
    assert (studio.files(), studio.left()) == ({}, [])
    assert setting in remarks(provider)[0]
    if announced and files == 1:
        assert sent[0].left == 15
    await provider.aclose()


async def test_the_files_of_a_job_are_downloaded_together_and_a_few_at_once(studio: Studio) -> None:
    at_once = [0, 0]

    async def answer(request: httpx.Request) -> httpx.Response:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await trio.testing.wait_all_tasks_blocked(0.01)
        at_once[0] -= 1
        return httpx.Response(200, content=b"x")

    studio.elsewhere = answer
    provider = studio.provider()
    await studio.ended(provider, [f"https://replicate.delivery/{number}" for number in range(20)])
    await settled(provider)
    assert len(studio.files()) == 20
    assert 1 < at_once[1] <= FILES_AT_ONCE
    await provider.aclose()


async def test_a_copy_that_was_cut_off_leaves_no_half_file_and_goes_on_where_it_was(studio: Studio) -> None:
    """What was there whole is not asked for again; nothing is there under its name before that."""
    asked: list[str] = []
    cut = trio.Event()

    class Endless(Sent):
        async def __anext__(self) -> bytes:
            if self.left == 0:
                cut.set()
                await trio.sleep_forever()
            return await super().__anext__()

    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        asked.append(request.url.path)
        return httpx.Response(
            200, stream=Sent(b"whole") if request.url.path == "/a" or cut.is_set() else Endless(b"ha")
        )

    studio.elsewhere = answer
    first = studio.provider()
    await studio.ended(first, ["https://replicate.delivery/a", "https://replicate.delivery/b"])
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.watch, lambda _key: None)
            await cut.wait()
            while not list(studio.root.glob("results/.key-1.part/001-a")):  # noqa: ASYNC110 - a file, which tells nobody
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    await first.aclose()
    assert studio.files() == {}
    part = studio.root / "results" / ".key-1.part"
    assert {path.name for path in part.iterdir()} == {"001-a", f"002-b{UNFINISHED}"}
    second = studio.provider()
    await settled(second)
    assert studio.files() == {"001-a": b"whole", "002-b": b"whole"}
    assert (asked.count("/a"), asked.count("/b")) == (1, 2)
    assert studio.left() == []
    await second.aclose()


async def test_a_copy_that_was_finished_in_the_last_moment_is_kept(studio: Studio) -> None:
    """Killed between the copy and the removal of its pending; the next start comes after the hour."""
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    pending = (studio.root / "to-copy" / "key-1.json").read_bytes()
    await settled(provider)
    (studio.root / "to-copy" / "key-1.json").write_bytes(pending)
    await provider.aclose()
    studio.clock.move(timedelta(hours=5))
    later = studio.provider()
    await settled(later)
    assert studio.files() == {"001-a": b"weights of /a"}
    assert (studio.left(), remarks(later)) == ([], [])
    await later.aclose()


@pytest.mark.parametrize("output", [None, ["https://replicate.delivery/a"]])
async def test_results_that_have_vanished_are_said_to_have(output: Any, studio: Studio) -> None:
    """Nothing is published as if it had been empty."""
    provider = studio.provider()
    await studio.ended(provider, output)
    studio.clock.move(timedelta(minutes=61))
    await settled(provider)
    assert (studio.files(), studio.left()) == ({}, [])
    assert "no longer has them" in remarks(provider)[0]
    await provider.aclose()


async def test_a_job_whose_copy_hangs_delays_no_other(studio: Studio) -> None:
    """Both ended; the one whose files never come was first."""

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/slow"):
            await trio.sleep_forever()
        return await delivery(request)

    studio.elsewhere = answer
    provider = studio.provider()
    handles = {}
    for key, path in (("key-1", "slow"), ("key-2", "quick")):
        output = [f"https://replicate.delivery/{path}/{number}" for number in range(10)]
        prepared = provider.prepare(request(seconds=10, output=output))
        handles[key] = (await provider.submit(key, key, prepared, {})).handle
    studio.clock.move(timedelta(seconds=11))
    await provider.observe_many(handles)
    done: list[str] = []
    copied = trio.Event()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.watch, lambda key: (done.append(key), copied.set()))
            await copied.wait()
            nursery.cancel_scope.cancel()
    assert done == ["key-2"]
    assert len(list((studio.root / "results" / "key-2").iterdir())) == 10
    await provider.aclose()


HOSTILE_NAMES = [
    "/a/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e", "/a%00b", "/" + "x" * 5000, "/.hidden", "/-rf", "/a;b",
    "/%ff%fe", "/a%5cb", "/con", "/a b", "/%F0%9F%98%80", "/" + "%2e" * 300, "/x.unfinished", "/same", "/same", "/",
    "/~", "/a%0ab",
]  # fmt: skip


async def test_names_from_outside_stay_in_the_jobs_folder_and_no_two_are_one(studio: Studio) -> None:
    """Separators, dots, NUL, very long ones, the same name twice."""
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, [f"https://replicate.delivery{path}" for path in HOSTILE_NAMES])
    await settled(provider)
    names = [*studio.files()]
    assert len(names) == len([path for path in HOSTILE_NAMES if " " not in path])  # with a blank it is no address
    assert all(re.fullmatch(r"\d{3}-[A-Za-z0-9_-][A-Za-z0-9._-]{0,110}", name) for name in names)
    assert {path.parent for path in studio.root.rglob("*") if path.is_file()} == {studio.root / "results" / "key-1"}
    await provider.aclose()


@pytest.mark.parametrize("url", ["https://[", "https://[::1", "https://a:b:c/", "https://\u2025/", "https://x:99999/"])
async def test_an_address_that_is_none_stops_no_other_job(url: str, studio: Studio) -> None:
    """It is said of that job; whoever copies goes on."""
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, [url])
    await settled(provider)
    assert (studio.files(), studio.left(), len(remarks(provider))) == ({}, [], 1)
    await provider.aclose()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_cannot_be_had_is_tried_again_until_it_has_vanished(status: int, studio: Studio) -> None:
    """A redirect is not followed; the pending copy is kept for another try, and given up after its hour."""

    async def refuse(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    studio.elsewhere = refuse
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    assert provider._copies is not None
    (pending,) = provider._copies._all_pending()
    assert not await provider._copies._finish(pending)
    assert studio.files() == {}
    assert [name for name in studio.left() if name.endswith(".json")] == ["key-1.json"]
    studio.clock.move(timedelta(hours=1, minutes=11))
    assert await provider._copies._finish(pending)
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
    reading = provider.read_delivery(headers, [studio.fake.secret], studio.clock.now())
    assert not isinstance(reading, Rejected)
    reading.add(body)
    assert reading.done(body, len(body)) == DeliveryEvent("msg_1", "abc")
    await provider.aclose()
