"""Outbound requests carry the ID that is current when they are sent (A13)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor

import httpx

from actors.http_client import clear_correlation_id, get_async_client, get_correlation_id, set_correlation_id
from logconf import bind_correlation_id


def remembering(seen):
    def answer(request):
        seen.append(request.headers)
        return httpx.Response(200)

    return httpx.MockTransport(answer)


async def test_a_pooled_client_carries_each_requests_own_id():
    seen = []
    async with get_async_client(transport=remembering(seen)) as client:
        for name in ("first", "second"):
            with bind_correlation_id(name):
                await client.get("https://example.invalid/")
    assert [headers["x-correlation-id"] for headers in seen] == ["first", "second"]


async def test_an_id_of_32_hex_is_the_trace_id_and_any_other_is_hashed():
    seen = []
    async with get_async_client(transport=remembering(seen)) as client:
        for name in ("0123456789abcdef0123456789abcdef", "request-1"):
            with bind_correlation_id(name):
                await client.get("https://example.invalid/")
    traces = [re.fullmatch(r"00-([0-9a-f]{32})-[0-9a-f]{16}-0[01]", headers["traceparent"])[1] for headers in seen]
    assert traces == ["0123456789abcdef0123456789abcdef", hashlib.sha256(b"request-1").hexdigest()[:32]]


async def test_no_hooks_may_be_said_as_httpx_says_it():
    seen = []
    async with get_async_client(transport=remembering(seen), event_hooks=None) as client:
        await client.get("https://example.invalid/")
    assert len(seen) == 1


async def test_redirects_are_not_followed_and_hooks_of_the_caller_are_kept():
    called = []

    async def hook(request):
        called.append(request.headers["x-correlation-id"])

    transport = httpx.MockTransport(lambda request: httpx.Response(302, headers={"Location": "https://evil.invalid/"}))
    async with get_async_client(transport=transport, event_hooks={"request": [hook]}) as client:
        with bind_correlation_id("mine"):
            assert (await client.get("https://example.invalid/")).status_code == 302
    assert called == ["mine"]


def test_the_correlation_functions_are_here_too():
    set_correlation_id("abc")
    assert get_correlation_id() == "abc"
    clear_correlation_id()
    assert get_correlation_id() != "abc"


def test_the_client_still_works_under_asyncio() -> None:
    """Existing applications may use it there."""

    async def main() -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, get_async_client() as client:
            port = server.sockets[0].getsockname()[1]
            return (await client.get(f"http://127.0.0.1:{port}/")).text

    with ThreadPoolExecutor(1) as threads:  # of its own: another loop may run in this one
        assert threads.submit(lambda: asyncio.run(main())).result() == "ok"


async def test_cookies_are_neither_kept_nor_returned():
    seen = []

    def answer(request):
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"Set-Cookie": f"n{len(seen)}={'x' * 2000}; Path=/"})

    async with get_async_client(transport=httpx.MockTransport(answer)) as client:
        for _ in range(3):
            await client.get("https://one.example/")
    assert seen == [None] * 3
