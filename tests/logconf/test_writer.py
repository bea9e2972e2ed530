"""The writer and its sinks: nobody waits, and what is dropped is counted."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from logconf import configure_structured_logging, flush, get_logger, statistics
from logconf.handler import installed_handler
from logconf.sinks import DescriptorSink, SinkClosed, StreamSink
from logconf.writer import Writer

PATIENCE = 60.0  # seconds until a test gives up; none waits for time to pass


class GatedSink:
    """A sink that blocks until it is let through, and says when somebody is in it."""

    batch_limit = 1000

    def __init__(self, *, opened: bool = False) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.written = b""
        self.failures: list[Exception] = []
        if opened:
            self.gate.set()

    def write(self, data: bytes) -> int:
        self.entered.set()
        assert self.gate.wait(PATIENCE)
        if self.failures:
            raise self.failures.pop(0)
        self.written += data
        return len(data)

    def writable_soon(self, seconds: float) -> bool:
        return self.gate.is_set()

    def request_reopen(self) -> None:
        raise AssertionError("not asked for here")


def report(dropped: int, urgent: int) -> bytes:
    return b"dropped %d of them urgent %d\n" % (dropped, urgent)


def writer_of(sink: Any, queue_bytes: int = 1000) -> Writer:
    return Writer(sink, report, queue_bytes=queue_bytes)


def test_lines_arrive_in_order_and_whole() -> None:
    sink = GatedSink(opened=True)
    writer = writer_of(sink, 1_000_000)
    lines = [b"line %d\n" % number for number in range(5_000)]
    for line in lines:
        writer.put(line, logging.INFO)
    assert writer.flush(PATIENCE)
    assert sink.written == b"".join(lines)
    assert writer.statistics().written == 5_000
    writer.close()


def test_a_blocked_sink_delays_nobody_and_drops_the_unimportant_first() -> None:
    sink = GatedSink()
    writer = writer_of(sink, 1000)
    writer.put(b"first\n", logging.INFO)
    assert sink.entered.wait(PATIENCE)
    for _ in range(200):
        writer.put(b"i" * 9 + b"\n", logging.INFO)  # room for 74 of them: 750 bytes less those being written
    for _ in range(50):
        writer.put(b"W" * 9 + b"\n", logging.WARNING)  # then for 25 of these
    seen = writer.statistics()
    assert seen.dropped == (200 - 74) + (50 - 25)
    assert seen.dropped_urgent == 25
    assert seen.pending_bytes <= 1000
    sink.gate.set()
    assert writer.flush(PATIENCE)
    lines = sink.written.decode().splitlines()
    assert lines.count("iiiiiiiii") == 74
    assert lines.count("WWWWWWWWW") == 25
    assert lines.count(f"dropped {seen.dropped} of them urgent 25") == 1
    assert lines.index(f"dropped {seen.dropped} of them urgent 25") == 75  # where the gap begins
    writer.close()


def test_every_line_is_written_or_counted_whatever_the_threads_do() -> None:
    sink = GatedSink(opened=True)
    writer = writer_of(sink, 2000)

    def produce() -> None:
        for _ in range(2_000):
            writer.put(b"x\n", logging.INFO)

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(PATIENCE)
    lines = sink.written.decode().splitlines()
    reported = sum(int(line.split()[1]) for line in lines if line.startswith("dropped"))
    assert lines.count("x") + reported == 8_000
    assert reported == writer.statistics().dropped
    writer.close()


def test_an_error_that_passes_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logconf.writer._RETRY_SECONDS", 0)
    sink = GatedSink(opened=True)
    sink.failures = [OSError(errno.ENOSPC, "full"), OSError(errno.ENOSPC, "full")]
    writer = writer_of(sink)
    writer.put(b"a\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert sink.written == b"a\n"
    assert (writer.statistics().errors, writer.statistics().dropped) == (2, 0)
    writer.close()


def test_a_sink_that_is_gone_is_counted_and_not_told() -> None:
    sink = GatedSink(opened=True)
    sink.failures = [SinkClosed("gone")]
    writer = writer_of(sink)
    writer.put(b"a\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert (writer.statistics().errors, writer.statistics().dropped) == (1, 1)
    writer.close()


def test_close_waits_no_longer_than_its_deadline_and_counts_what_is_left() -> None:
    sink = GatedSink()
    writer = writer_of(sink)
    writer.put(b"a\n", logging.INFO)
    assert sink.entered.wait(PATIENCE)
    writer.put(b"b\n", logging.INFO)
    assert not writer.close(0.01)
    assert writer.statistics().dropped == 1
    sink.gate.set()


def test_lines_after_close_are_written_by_their_callers() -> None:
    sink = GatedSink(opened=True)
    writer = writer_of(sink)
    writer.put(b"a\n", logging.INFO)
    assert writer.close(PATIENCE)
    writer.put(b"b\n", logging.INFO)
    assert sink.written == b"a\nb\n"


def test_a_logging_call_inside_the_writers_own_lock_does_not_deadlock() -> None:
    """As a signal handler or a finalizer may do on the same thread."""
    sink = GatedSink(opened=True)
    writer = writer_of(sink)
    with writer._lock:
        writer.put(b"a\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert sink.written == b"a\n"
    writer.close()


def drained_lines(descriptor: int) -> list[bytes]:
    data = b""
    os.set_blocking(descriptor, False)
    try:
        while piece := os.read(descriptor, 65_536):
            data += piece
    except BlockingIOError:
        pass
    assert data.endswith(b"\n")
    return data.splitlines()


@pytest.mark.parametrize("size", [10, 100, 3000, 5000, 20_000])
def test_a_pipe_nobody_reads_holds_whole_lines_only(size: int) -> None:
    read, write = os.pipe()
    writer = writer_of(DescriptorSink(write), 1_000_000)
    for number in range(60_000 // size * 5):
        writer.put(b"%07d" % number + b"x" * (size - 8) + b"\n", logging.INFO)
    assert not writer.close(0.05)
    lines = drained_lines(read)
    assert lines
    assert all(len(line) == size - 1 for line in lines)
    assert [int(line[:7]) for line in lines] == list(range(len(lines)))
    os.close(read)  # the writer's thread meets EPIPE and ends


def test_a_pipe_that_is_read_slowly_gets_everything() -> None:
    read, write = os.pipe()
    writer = writer_of(DescriptorSink(write), 10_000_000)
    lines = [b"%d " % number + b"y" * (number % 9000) + b"\n" for number in range(300)]
    for line in lines:
        writer.put(line, logging.INFO)
    got = b""
    while len(got) < sum(map(len, lines)):
        got += os.read(read, 1111)
    assert got == b"".join(lines)
    assert writer.close(PATIENCE)
    os.close(read)
    os.close(write)


def test_a_reader_that_went_away_costs_nothing_but_a_count() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = writer_of(DescriptorSink(write))
    writer.put(b"a\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert writer.statistics().dropped == 1
    writer.close()
    os.close(write)


def test_a_non_blocking_descriptor_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = DescriptorSink(write)
    sink._is_pipe = False  # as a socket or a terminal
    writer = writer_of(sink, 1_000_000)
    writer.put(b"z" * 200_000 + b"\n", logging.INFO)
    got = b""
    while len(got) < 200_001:
        got += os.read(read, 65_536)
    assert got == b"z" * 200_000 + b"\n"
    writer.close(PATIENCE)
    os.close(read)
    os.close(write)


def test_a_stream_without_a_descriptor_is_written_as_text() -> None:
    stream = io.StringIO()
    writer = writer_of(StreamSink(stream))
    writer.put("ü\n".encode(), logging.INFO)
    assert writer.close(PATIENCE)
    assert stream.getvalue() == "ü\n"


def test_a_closed_stream_is_counted() -> None:
    stream = io.StringIO()
    stream.close()
    writer = writer_of(StreamSink(stream))
    writer.put(b"x\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert writer.statistics().dropped == 1
    writer.close()


def test_a_sink_with_a_fault_of_its_own_ends_nothing() -> None:
    sink = GatedSink(opened=True)
    sink.failures = [ZeroDivisionError()]
    writer = writer_of(sink)
    writer.put(b"a\n", logging.INFO)
    assert writer.flush(PATIENCE)
    writer.put(b"b\n", logging.INFO)
    assert writer.flush(PATIENCE)
    assert sink.written == b"b\n"
    assert (writer.statistics().errors, writer.statistics().dropped) == (1, 1)
    writer.close()


def test_statistics_and_the_drop_report_of_the_configured_handler(tmp_path: Path) -> None:
    sink = GatedSink()
    configure_structured_logging(log_file=tmp_path / "x", stream=None, queue_bytes=2_000)
    logger = get_logger("tests.writer")
    handler = installed_handler()
    assert handler is not None
    handler.writers[0]._sink = sink
    logger.info("first")
    assert sink.entered.wait(PATIENCE)
    for _ in range(50):
        logger.info("more")
    (seen,) = statistics()
    sink.gate.set()
    flush(PATIENCE)
    lines = [json.loads(line) for line in sink.written.splitlines()]
    (told,) = [line for line in lines if line["logger"] == "logconf"]
    assert told["level"] == "WARNING"
    assert told["message"].startswith(f"Dropped {seen.dropped} log lines")
    assert told["extra"] == {"dropped": seen.dropped, "dropped_warning_and_above": 0}
    assert len(lines) - 1 + seen.dropped == 51
