"""A bounded queue and a thread that writes: a sink that blocks delays no caller.

Callers hand over whole lines and never wait. The queue is bounded by bytes; above `_SOFT` of the bound lines below
WARNING are dropped, at the bound every line. In place of dropped lines, one line says how many there were. Writing
errors are counted, never logged. After `close`, and in a forked child (which often ends by `os._exit`, where nothing
can be drained), the caller writes its lines itself, and waits only for a bounded time.

Lock order: the lock is re-entrant and held for a few list operations only, because a signal handler or a finalizer may
log in the middle of them on the same thread.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from logconf.sinks import Sink, SinkClosed

QUEUE_BYTES = 8 * 1024 * 1024
"""The most bytes in one sink's queue: some 25,000 usual lines, seconds of a busy process."""

DRAIN_SECONDS = 2.0
"""The most seconds that an exit waits for a sink."""

_SOFT = 0.75
_REST_SECONDS = 0.01
_NEVER = 1 << 62
_RETRY_SECONDS = 0.5  # after an error that may pass, such as a full disk
_PATIENCE_SECONDS = 1.0  # of a caller that writes itself


@dataclass(slots=True)
class Statistics:
    """Counters of one sink: lines written, lines dropped, writing errors, bytes waiting."""

    written: int = 0
    dropped: int = 0
    dropped_urgent: int = 0
    """Of the dropped: WARNING and above."""
    errors: int = 0
    pending_bytes: int = 0


@dataclass(slots=True)
class _Batch:
    """Whole lines that go to the sink at once, as they came in; no object is kept for each line."""

    data: bytearray
    lines: int = 0


_Item = _Batch | threading.Event | None
"""Lines; what `flush` waits for; None where lines are missing."""


class Writer:
    """Gives lines to `sink` in their order. `report(dropped, urgent)` makes the line that counts dropped ones."""

    def __init__(self, sink: Sink, report: Callable[[int, int], bytes], *, queue_bytes: int = QUEUE_BYTES) -> None:
        self._sink = sink
        self._report = report
        self._limit = queue_bytes
        self._soft_limit = int(queue_bytes * _SOFT)
        self._statistics = Statistics()
        self._direct = False
        self._closed = False
        self._impatient = False
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._queue: deque[_Item] = deque()
        self._growing: _Batch | None = None  # the last of the queue, while it takes more lines
        self._pending = 0
        self._gap: list[int] | None = None  # dropped and urgent since the marker was set
        # The thread waits for `_wake`; who brings `_pending` to `_wake_at` releases it. Not waiting: infinity
        self._wake_at = _NEVER
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._thread: int | None = None

    def put(self, line: bytes, level: int) -> None:
        """Queue one line (newline included). Never blocks on the sink and never raises."""
        with self._lock:
            if self._direct:
                self._write_here(line, 1)
                return
            pending = self._pending + len(line)
            if pending > self._soft_limit and (level < logging.WARNING or pending > self._limit):
                self._drop(level)
                return
            batch = self._growing
            if batch is None or len(batch.data) + len(line) > self._sink.batch_limit:
                batch = _Batch(bytearray())
                self._append(batch)
                self._growing = batch
            batch.data += line
            batch.lines += 1
            self._pending = pending
            if pending >= self._wake_at:
                self._wake_thread()
            elif self._thread is None:
                self._start()

    def _append(self, item: _Item) -> None:
        self._queue.append(item)
        self._growing = None

    def _wake_thread(self) -> None:
        if self._wake_at != _NEVER:
            self._wake_at = _NEVER
            self._wake.release()

    def _drop(self, level: int) -> None:
        if self._gap is None:
            self._gap = [0, 0]
            self._append(None)
        urgent = level >= logging.WARNING
        self._gap[0] += 1
        self._gap[1] += urgent
        self._statistics.dropped += 1
        self._statistics.dropped_urgent += urgent

    def _start(self) -> None:
        try:
            self._thread = _thread.start_new_thread(self._run, ())
        except RuntimeError:  # the interpreter is ending, or the process has no thread left
            self._direct = True
            self._write_rest()

    # The thread's side

    def _run(self) -> None:
        """Write until closed. This is a bare thread, because interpreter exit, which drains by deadline, must not
        join it.
        """
        while True:
            with self._lock:  # held for no longer than this, or callers would wait for a thread that is not scheduled
                items, self._queue, self._growing = self._queue, deque(), None
                if not items:
                    if self._closed:
                        return
                    self._wake_at = 0
            if items:
                self._write(items, self._deliver)
                self._rest()
            else:
                self._wake.acquire()

    def _rest(self) -> None:
        """Wait for some more lines, because each batch makes the other threads give up the interpreter once."""
        with self._lock:
            if self._closed:
                return
            self._wake_at = self._limit // 8
        woken = self._wake.acquire(timeout=_REST_SECONDS)
        with self._lock:
            released = self._wake_at == _NEVER
            self._wake_at = _NEVER
            if released and not woken:
                self._wake.acquire()  # released just after the time was up

    def _write(self, items: Iterable[_Item], deliver: Callable[[bytes, int], None]) -> None:
        for item in items:
            if isinstance(item, threading.Event):
                item.set()
            elif item is None:
                deliver(self._gap_line(), 1)
            else:
                deliver(bytes(item.data), item.lines)

    def _gap_line(self) -> bytes:
        with self._lock:
            gap, self._gap = self._gap or [0, 0], None
            line = self._report(*gap)
            self._pending += len(line)
        return line

    def _deliver(self, batch: bytes, lines: int) -> None:
        rest = batch
        try:
            while rest:
                try:
                    rest = rest[self._sink.write(rest) :]
                except OSError:
                    self._statistics.errors += 1
                    if self._closed:
                        break
                    time.sleep(_RETRY_SECONDS)  # this thread only; the line is finished later, not torn
        except Exception:  # noqa: BLE001 - border: SinkClosed, or a sink's fault; this thread has nobody to tell
            self._statistics.errors += 1
        with self._lock:
            self._pending -= len(batch)
            if rest:
                self._statistics.dropped += lines
            else:
                self._statistics.written += lines

    # The callers' side, where there is no thread

    def _write_here(self, batch: bytes, lines: int) -> None:
        """Write at once. A full sink is waited for once; after that, lines are dropped until it has room."""
        deadline = time.monotonic() + (0.0 if self._impatient else _PATIENCE_SECONDS)
        rest = batch
        try:
            while rest:
                if not self._sink.writable_soon(deadline - time.monotonic()):
                    self._impatient = True
                    self._statistics.dropped += lines
                    return
                rest = rest[self._sink.write(rest) :]
            self._impatient = False
            self._statistics.written += lines
        except (OSError, SinkClosed):
            self._statistics.errors += 1
            self._statistics.dropped += lines

    def _write_rest(self) -> None:
        items, self._queue, self._growing = self._queue, deque(), None
        self._write(items, self._write_here)
        self._pending = 0

    # Life

    def flush(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait until all that was queued before has been written, at most `seconds`. Returns whether it was."""
        done = threading.Event()
        with self._lock:
            if self._direct or (self._thread is None and not self._queue):
                return True
            self._append(done)
            self._wake_thread()
        return done.wait(seconds)

    def reopen(self) -> None:
        """Open the file anew before the next line. Callable from a signal handler."""
        self._sink.request_reopen()

    def close(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Drain the queue for at most `seconds`, then stop the thread. Returns whether everything was written.

        Later lines (of other exit handlers and finalizers) are written by their callers.
        """
        drained = self.flush(seconds)
        with self._lock:
            if self._closed:
                return drained
            self._closed = self._direct = True
            self._impatient = not drained
            if drained:
                self._write_rest()
            else:
                self._statistics.dropped += sum(item.lines for item in self._queue if isinstance(item, _Batch))
                self._queue.clear()
            self._wake_thread()
        return drained

    def statistics(self) -> Statistics:
        """A copy of the counters."""
        with self._lock:
            known = self._statistics
            return Statistics(known.written, known.dropped, known.dropped_urgent, known.errors, self._pending)

    def after_fork_in_child(self) -> None:
        """Drop the parent's queue, which the parent writes, and write directly, because this child may end by
        `os._exit`.
        """
        self._reset()
        self._direct = True
