"""Names are looked up within limits of the client's own, whatever a name server does."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import httpcore
import httpx
import pytest
import trio
from trio.testing import MockClock

from actors.http_client import TransportOptions, connecting, get_async_client
from actors.http_client.connecting import LOOK_UP_SECONDS, MOST, MOST_OF_HOST, _first_of

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PATIENCE = 60.0


@attrs.define
class NameServer:
    """Answers ``127.0.0.1``; of names that begin with ``hangs`` only after ``answers`` is set."""

    answers: threading.Event = attrs.field(factory=threading.Event)
    asked: list[str] = attrs.field(factory=list)
    hang: set[int] = attrs.field(factory=set)

    def look_up(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.startswith("hangs"):
            self.hang.add(threading.get_ident())
            self.answers.wait(PATIENCE)
            self.hang.discard(threading.get_ident())
        return ["127.0.0.1"]

    async def until_hanging(self, number: int) -> None:
        """Return when so many look-ups hang. Their threads tell nobody, and time stands still."""
        while len(self.hang) < number:
            await trio.lowlevel.checkpoint()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(connecting, "look_up", server.look_up)
    yield server
    server.answers.set()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server, also of a proxy, that answers everything."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(ANSWER)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_client_and_its_proxy_are_connected_to_by_looked_up_names(names: NameServer, port: int) -> None:
    """Through the one private name of each library that is relied on."""
    async with get_async_client() as client:
        assert (await client.get(f"http://api.invalid:{port}/")).text == "ok"
        assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
    options = TransportOptions(proxy=f"http://proxy.invalid:{port}")
    async with get_async_client(options) as client:
        assert (await client.get("http://api.invalid/")).text == "ok"
    assert names.asked == ["api.invalid", "proxy.invalid"]


async def test_a_name_that_hangs_holds_few_threads_and_delays_nothing_else(
    mock_clock: MockClock, names: NameServer, port: int
) -> None:
    """Its callers have their time-out; its threads are not those of the process, and other names are looked up."""
    failures: list[httpx.HTTPError] = []

    async with get_async_client(timeout=30) as client, trio.open_nursery() as nursery:

        async def ask() -> None:
            try:
                await client.get(f"http://hangs.invalid:{port}/")
            except httpx.ConnectTimeout as error:
                failures.append(error)

        for _ in range(3 * MOST_OF_HOST):
            nursery.start_soon(ask)
        await names.until_hanging(MOST_OF_HOST)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(30)
        while len(failures) < 3 * MOST_OF_HOST:
            await trio.lowlevel.checkpoint()
        nursery.start_soon(ask)  # again, while threads of before still hang
        assert (await client.get(f"http://other.invalid:{port}/")).text == "ok"
        assert len(names.hang) == MOST_OF_HOST
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        names.answers.set()
    assert names.asked.count("hangs.invalid") == MOST_OF_HOST + 1


async def test_all_look_ups_of_a_client_are_bounded(mock_clock: MockClock, names: NameServer) -> None:
    """And without a time-out of the connection there still is one for them."""
    failures: list[httpx.HTTPError] = []

    async with get_async_client(timeout=None) as client, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            try:
                await client.get(f"http://hangs-{number}.invalid/")
            except httpx.ConnectTimeout as error:
                failures.append(error)

        for number in range(2 * MOST):
            nursery.start_soon(ask, number)
        await names.until_hanging(MOST)
        await trio.testing.wait_all_tasks_blocked()
        assert len(names.asked) == MOST
        mock_clock.jump(LOOK_UP_SECONDS)
    assert len(failures) == 2 * MOST
    assert "could not be looked up within 30 s" in str(failures[0])


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
async def test_a_name_that_cannot_be_looked_up_is_a_failed_connection(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_host: str, _port: int) -> list[str]:
        raise error

    monkeypatch.setattr(connecting, "look_up", fail)
    async with get_async_client() as client:
        with pytest.raises(httpx.ConnectError, match=r"nowhere\.invalid cannot be looked up"):
            await client.get("http://nowhere.invalid/")


def test_the_addresses_of_a_name_are_each_tried_once() -> None:
    assert "127.0.0.1" in connecting.look_up("localhost", 80)
    assert len(set(connecting.look_up("localhost", 80))) == len(connecting.look_up("localhost", 80))


class Stream(httpcore.AsyncNetworkStream):
    """A connection to ``address``."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize(
    ("addresses", "chosen", "after"),
    [
        (["good"], "good", 0),
        (["silent", "good"], "good", 0.25),
        (["refuses", "good"], "good", 0),
        (["slow", "silent"], "slow", 1),
        (["silent", "refuses", "silent", "good"], "good", 0.5),
    ],
)
async def test_a_further_address_is_tried_where_one_is_silent_or_refuses(
    autojump_clock: MockClock, addresses: list[str], chosen: str, after: float
) -> None:
    async def connect(address: str) -> httpcore.AsyncNetworkStream:
        seconds: Any = {"silent": PATIENCE, "slow": 1}.get(address, 0)
        await trio.sleep(seconds)
        if address == "refuses":
            raise httpcore.ConnectError(address)
        return Stream(address)

    found = await _first_of(addresses, connect)
    assert isinstance(found, Stream)
    assert (found.address, trio.current_time()) == (chosen, pytest.approx(after))
    with pytest.raises(httpcore.ConnectError, match="refuses"):
        await _first_of(["refuses", "refuses"], connect)
    with pytest.raises(httpcore.ConnectError, match="no address"):
        await _first_of([], connect)


def test_the_client_still_works_under_asyncio() -> None:
    """Existing applications may use it there."""

    async def main() -> str:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server, get_async_client() as client:
            port = server.sockets[0].getsockname()[1]
            return (await client.get(f"http://127.0.0.1:{port}/")).text

    with ThreadPoolExecutor(1) as threads:  # of its own: another loop may run in this one
        assert threads.submit(lambda: asyncio.run(main())).result() == "ok"
