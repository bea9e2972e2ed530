"""Results whose addresses, names or bodies are hostile: nothing is asked, written or unpacked that must not be."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from actors.testing.fake_replicate import TOKEN
from tests.providers.replicate.copying_studio import Sent, Studio, delivery, remarks, settled


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
    assert len(names) == len([path for path in HOSTILE_NAMES if " " not in path])  # with a blank it is not an address
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
