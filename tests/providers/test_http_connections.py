"""The client of remote providers on real connections: what was sent, what may have been, what surely was not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from actors.providers import errors
from actors.providers.http import ProviderClient
from tests.ports import silent_port

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
        client = ProviderClient("cloud", f"http://127.0.0.1:{port}")
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


async def test_an_answer_that_never_comes_is_unknown_for_a_submission(mock_clock):
    """Time passes when the request has arrived, however long that takes."""

    async def hang(_stream: trio.SocketStream) -> None:
        mock_clock.jump(0.2)
        await trio.sleep_forever()

    async with serving(hang) as (client, _):
        with pytest.raises(errors.OutcomeUnknown, match="did not answer whole"):
            await client.request("POST", "/jobs", json={}, deadline=0.2)


async def test_nobody_listening_is_surely_not_accepted():
    with silent_port() as port:
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
