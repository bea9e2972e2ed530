"""The account of what clients did wrong: one line a minute, and whose fault an exception is."""

from __future__ import annotations

import logging

import h11
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from actors.feed.server import FrameStream
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
        nursery.start_soon(faults.log_counts)
        nursery.start_soon(faults.log_counts)
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
            nursery.start_soon(faults.log_counts)
            async with trio.open_nursery() as inner:
                inner.start_soon(faults.log_counts)
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
    assert not caused_by_client(ours)
    assert not caused_by_client(ExceptionGroup("", [library, ours]))
    assert caused_by_client(ExceptionGroup("", [library, library]))


async def test_a_broken_connection_is_the_clients_where_it_was_the_clients() -> None:
    """One of ours to somewhere else, that breaks in a handler, is a fault that somebody must see."""
    one, other = trio.testing.memory_stream_pair()
    await other.aclose()
    with pytest.raises(trio.BrokenResourceError) as caught:
        await FrameStream(one).send_all(b"x")
    assert caused_by_client(caught.value)
    assert caused_by_client(ExceptionGroup("", [caught.value, raised_by_a_library()]))
    with pytest.raises(trio.BrokenResourceError) as elsewhere:
        await one.send_all(b"x")
    assert not caused_by_client(elsewhere.value)


async def test_what_is_not_worth_a_line_is_counted_all_the_same(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    faults = ClientFaults()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(faults.log_counts)
        faults.count("http", "no request", logged=False)
        await trio.sleep(2 * EVERY)
        nursery.cancel_scope.cancel()
    assert faults.counts["http", "no request"] == 1
    assert caplog.records == []
