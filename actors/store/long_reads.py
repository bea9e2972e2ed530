"""Long reads for people: they end at a deadline, and only one of them runs at a time.

A read that is done within :data:`QUICK` seconds is not affected by others. After that it continues only in its turn,
for :data:`TURN` seconds each time: otherwise eight long reads would take all cores, and quick ones beside them some
twenty times as long. Turns are given in the order in which they were requested. A read keeps its snapshot while it
waits, and its deadline continues to run.

All of this is decided in SQLite's progress handler, which runs in the reader's thread every :data:`_OPCODES` steps of a
statement. So a read that waits for its turn waits inside a statement, and holds no lock of Python's.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

QUICK, TURN = 0.02, 0.02

_OPCODES = 10_000
"""Steps of SQLite's machine between two looks: half a millisecond."""


class Turns:
    """One of many threads at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def take(self, seconds: float) -> bool:
        """Wait for the turn, ``seconds`` at most; whether it came."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        if mine.acquire(timeout=max(seconds, 0.0)):
            return True
        with self._mutex:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return False
        return True  # it came after all

    def give(self) -> None:
        """Let the next one have it."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


_turns = Turns()


class _Read:
    """One read. ``has_turn``: it is the one that may go on."""

    def __init__(self, seconds: float) -> None:
        now = time.monotonic()
        self._latest = now + seconds
        self._until = now + QUICK
        self.has_turn = False

    def is_over(self) -> bool:
        """Whether the deadline has come; waits for the turn where the read may not go on without."""
        now = time.monotonic()
        if now < self._until:
            return now > self._latest
        if self.has_turn:
            self.has_turn = False
            _turns.give()
        self.has_turn = _turns.take(self._latest - now)
        now = time.monotonic()
        self._until = now + TURN
        return not self.has_turn or now > self._latest


@contextmanager
def interrupted_after(connection: Connection, seconds: float) -> Iterator[None]:
    """End what runs on ``connection`` later than ``seconds`` from now, statements and fetches alike.

    Raises ``DBAPIError`` then. The connection can be used afterwards.
    """
    driver: Any = connection.connection.driver_connection
    read = _Read(seconds)
    driver.set_progress_handler(read.is_over, _OPCODES)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        if read.has_turn:
            _turns.give()
