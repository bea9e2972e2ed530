"""Names are looked up within limits of their own, whatever a name server does."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from actors.http_client import get_async_client
from actors.net.look_ups import MOST, MOST_OF_HOST, SECONDS, LimitedResolver, limited_look_ups
from actors.testing import running_runtime

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PATIENCE = 60.0


@attrs.define
class NameServer:
    """Answers ``127.0.0.1``; of names that begin with ``hangs`` only after ``answers`` is set."""

    answers: threading.Event = attrs.field(factory=threading.Event)
    asked: list[str] = attrs.field(factory=list)
    hang: set[int] = attrs.field(factory=set)

    def look_up(self, host: Any, port: Any, family: int, kind: int, proto: int, flags: int) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:  # trio tries first, itself, whether it is an address
            raise socket.gaierror(socket.EAI_NONAME, "it is a name")
        name = host.decode() if isinstance(host, bytes) else str(host)
        self.asked.append(name)
        if name.startswith("hangs"):
            self.hang.add(threading.get_ident())
            self.answers.wait(PATIENCE)
            self.hang.discard(threading.get_ident())
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def until_hanging(self, number: int) -> None:
        """Return when so many look-ups hang. Their threads tell nobody, and time stands still."""
        while len(self.hang) < number:
            await trio.lowlevel.checkpoint()


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look_up)
    with limited_look_ups():
        yield server
    server.answers.set()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Of a server that answers everything."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(ANSWER)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_name_that_hangs_holds_few_threads_and_delays_nothing_else(
    mock_clock: MockClock, names: NameServer, port: int
) -> None:
    """Its callers have their time-out; its threads are not those of the process, and other names are looked up."""
    failures: list[httpx.HTTPError] = []

    async with get_async_client(timeout=20) as client, trio.open_nursery() as nursery:

        async def ask() -> None:
            try:
                await client.get(f"http://hangs.invalid:{port}/")
            except httpx.ConnectTimeout as error:
                failures.append(error)

        for _ in range(3 * MOST_OF_HOST):
            nursery.start_soon(ask)
        await names.until_hanging(MOST_OF_HOST)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(20)
        while len(failures) < 3 * MOST_OF_HOST:
            await trio.lowlevel.checkpoint()
        nursery.start_soon(ask)  # again, while threads of before still hang
        assert (await client.get(f"http://other.invalid:{port}/")).text == "ok"
        assert len(names.hang) == MOST_OF_HOST
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
        names.answers.set()
    assert names.asked.count("hangs.invalid") == MOST_OF_HOST + 1


async def test_all_look_ups_are_bounded(mock_clock: MockClock, names: NameServer) -> None:
    """And without a time-out of the connection there still is one for them."""
    failures: list[httpx.HTTPError] = []

    async with get_async_client(timeout=None) as client, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            try:
                await client.get(f"http://hangs-{number}.invalid/")
            except httpx.ConnectError as error:
                failures.append(error)

        for number in range(2 * MOST):
            nursery.start_soon(ask, number)
        await names.until_hanging(MOST)
        await trio.testing.wait_all_tasks_blocked()
        assert len(names.asked) == MOST
        mock_clock.jump(SECONDS)
    assert len(failures) == 2 * MOST
    assert "could not be looked up within 30 s" in str(failures[0])


async def test_a_name_that_cannot_be_looked_up_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_options: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with limited_look_ups():
        async with get_async_client() as client:
            with pytest.raises(httpx.ConnectError, match="Name or service not known"):
                await client.get("http://nowhere.invalid/")


async def test_the_systems_own_answers_are_given() -> None:
    with limited_look_ups():
        assert await trio.socket.getaddrinfo("localhost", 80) == socket.getaddrinfo("localhost", 80)
        assert await trio.socket.getnameinfo(("127.0.0.1", 80), 0) == socket.getnameinfo(("127.0.0.1", 80), 0)


def resolver() -> trio.abc.HostnameResolver | None:
    """The one of this run."""
    present = trio.socket.set_custom_hostname_resolver(None)
    trio.socket.set_custom_hostname_resolver(present)
    return present


async def test_a_runtime_looks_names_up_within_the_limits_until_it_ends(autojump_clock: MockClock) -> None:
    async with running_runtime():
        assert isinstance(resolver(), LimitedResolver)
    assert resolver() is None


async def test_a_resolver_of_the_application_stays(autojump_clock: MockClock) -> None:
    own = LimitedResolver()
    trio.socket.set_custom_hostname_resolver(own)
    try:
        async with running_runtime():
            assert resolver() is own
        assert resolver() is own
    finally:
        trio.socket.set_custom_hostname_resolver(None)
