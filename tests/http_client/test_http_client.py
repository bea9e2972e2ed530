"""Outbound requests carry the ID that is current when they are sent (A13)."""

from __future__ import annotations

import hashlib
import re

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
