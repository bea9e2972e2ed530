"""The account of what clients did wrong: one line a minute, and whose fault an exception is."""

from __future__ import annotations

import logging
import ssl

import h11
import pytest
import trio
from trio.testing import MockClock

from actors.net.client_faults import EVERY, ClientFaults, caused_by_client


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, object]]:
    return [(record.getMessage(), getattr(record, "refused", None)) for record in caplog.records]


async def test_a_thousand_refusals_are_one_line_a_minute(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Two servers tell, and it is one line all the same; what is left is told when they stop."""
    caplog.set_level(logging.DEBUG)
    faults = ClientFaults()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(faults.tell)
        nursery.start_soon(faults.tell)
        for _ in range(1000):
            faults.count("http", "status 401")
        faults.count("feed", "no handshake")
        await trio.sleep(EVERY - 1)
        assert told(caplog) == []
        await trio.sleep(EVERY)
        first = {"http": {"status 401": 1000}, "feed": {"no handshake": 1}}
        assert told(caplog) == [("1001 requests or connections were refused", first)]
        await trio.sleep(10 * EVERY)
        assert len(caplog.records) == 1
        faults.count("http", "status 401")
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert told(caplog)[1:] == [("1 requests or connections were refused", {"http": {"status 401": 1}})]
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert faults.counts["http", "status 401"] == 1001


async def test_another_server_goes_on_telling_when_one_stops(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    faults = ClientFaults()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as first:
            nursery.start_soon(faults.tell)
            async with trio.open_nursery() as inner:
                inner.start_soon(faults.tell)
                first.cancel()
        faults.count("http", "status 401")
        await trio.sleep(EVERY + 1)
        assert len(caplog.records) == 1
        nursery.cancel_scope.cancel()


def raised_by_a_library() -> BaseException:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"\0\r\n\r\n")
    with pytest.raises(h11.RemoteProtocolError) as caught:
        connection.next_event()
    return caught.value


def test_what_a_library_raises_over_a_clients_bytes_is_the_clients() -> None:
    ours = ValueError("a bug of ours")
    library = raised_by_a_library()
    assert caused_by_client(library)
    assert caused_by_client(ExceptionGroup("", [library, trio.BrokenResourceError(), ssl.SSLError()]))
    assert not caused_by_client(ours)
    assert not caused_by_client(ExceptionGroup("", [library, ours]))
