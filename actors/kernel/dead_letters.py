"""Dead letters: what was sent and reached nobody. Bounded, listable, logged; never an exception for the sender."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs
import trio

from actors.kernel.envelope import Envelope
from logconf import get_logger
from logconf.context import bind_correlation_id

_logger = get_logger("actors.kernel.dead_letters")


@attrs.frozen
class DeadLetter:
    """One message that reached nobody.

    ``reason``: ``dropped`` (overflow), ``expired`` (its deadline had passed), ``interrupted`` (its actor was
    stopped while handling it), or why the actor was gone: ``stopped``, ``parked``, ``failed``, ``finished``,
    ``unknown``. ``at``: trio seconds.
    """

    envelope: Envelope
    actor: str
    reason: str
    at: float


class DeadLetters:
    """The newest ``capacity`` dead letters; ``total`` counts all of them.

    Each is a WARNING, but no more than ``lines`` in ``period`` seconds: a flood of dropped messages must not
    become a flood of lines. The next line says how many were ``suppressed``.
    """

    def __init__(self, capacity: int = 1000, *, lines: int = 100, period: float = 10.0) -> None:
        self.total = 0
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._lines, self._period = lines, period
        self._window_start, self._in_window, self._suppressed = -period, 0, 0

    def __len__(self) -> int:
        return len(self._letters)

    def __iter__(self) -> Iterator[DeadLetter]:
        """The kept ones, oldest first, as they are now."""
        return iter(list(self._letters))

    def clear(self) -> None:
        """Forget the kept ones; ``total`` goes on."""
        self._letters.clear()

    def record(self, envelope: Envelope, actor: str, reason: str) -> None:
        """Keep and log one."""
        now = trio.current_time()
        self.total += 1
        self._letters.append(DeadLetter(envelope, actor, reason, now))
        if now >= self._window_start + self._period:
            self._window_start, self._in_window = now, 0
        if self._in_window >= self._lines:
            self._suppressed += 1
            return
        self._in_window += 1
        extra = {
            "actor": actor, "reason": reason, "message_type": type(envelope.message).__name__,
            "envelope_id": envelope.id, "sender": envelope.sender, "suppressed": self._suppressed,
        }  # fmt: skip
        self._suppressed = 0
        with bind_correlation_id(envelope.correlation_id):
            _logger.warning("Dead letter for %s: %s", actor, reason, extra=extra)
