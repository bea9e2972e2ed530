"""Dead letters, which are messages that nobody will handle, and the quarantine, for messages that crashed their actor.

Both are bounded, listable and logged, and never an exception for the sender.
"""

from __future__ import annotations

import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

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

    Each is a WARNING, but no more than ``lines`` in ``period`` seconds, so that many dropped messages do not become as
    many log lines. The next line says how many were ``suppressed``.
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


# Quarantine: the messages whose handling crashed their actor, kept apart so that the rest can follow in order.

_quarantine_logger = get_logger("actors.kernel.quarantine")


@attrs.frozen
class Quarantined:
    """One message that crashed its actor.

    ``cause`` is text, because the exception itself would keep the frames of the dead incarnation alive. ``attempt``
    counts its deliveries; ``at`` is trio seconds. ``id`` is the envelope's.
    """

    envelope: Envelope
    actor: str
    cause: str
    attempt: int
    at: float

    @property
    def id(self) -> int:
        """What it is listed, replayed and dropped by."""
        return self.envelope.id


class Quarantine:
    """The newest ``capacity`` quarantined messages; an older one that is pushed out is logged and lost."""

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[int, tuple[Quarantined, Callable[[Envelope], object]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Quarantined]:
        """The kept ones, oldest first, as they are now."""
        return iter([entry for entry, _ in self._kept.values()])

    def add(self, envelope: Envelope, actor: str, cause: BaseException, deliver: Callable[[Envelope], object]) -> None:
        """Keep ``envelope``, which crashed ``actor`` with ``cause``.

        ``deliver`` is how a replay reaches the actor again.
        """
        text = "".join(traceback.format_exception_only(cause)).strip()
        self._kept[envelope.id] = (Quarantined(envelope, actor, text, envelope.attempt, trio.current_time()), deliver)
        with bind_correlation_id(envelope.correlation_id):
            _quarantine_logger.error(
                "Quarantined a message of %s", actor,
                extra={"actor": actor, "envelope_id": envelope.id, "attempt": envelope.attempt, "cause": text,
                       "message_type": type(envelope.message).__name__},
            )  # fmt: skip
        if len(self._kept) > self._capacity:
            oldest, _ = self._kept.popitem(last=False)[1]
            _quarantine_logger.warning(
                "The quarantine is full; its oldest message is gone",
                extra={"actor": oldest.actor, "envelope_id": oldest.id},
            )

    def replay(self, envelope_id: int) -> None:
        """Send it to its actor again, behind its queued messages, as one more attempt. Nobody waits for its reply any
        more.

        Raises KeyError for an unknown id, and ActorDown and MailboxFull, after which it stays in quarantine.
        """
        entry, deliver = self._kept[envelope_id]
        deliver(entry.envelope.again())
        del self._kept[envelope_id]

    def drop(self, envelope_id: int) -> Quarantined:
        """Forget it. Raises KeyError for an unknown id."""
        return self._kept.pop(envelope_id)[0]
