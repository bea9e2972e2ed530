"""The form of every long-lived actor: when a message or the time wakes it, it does what is due.

    class Expiry(TickingActor):
        interval = 300.0
        concurrent = True                       # a nursery beside the mailbox, if it needs one

        async def tick(self, causes): ...       # one cycle, under a correlation ID of its own
        def next_tick(self): ...                # when the next one is due; default: every `interval` seconds
        async def handle(self, message): ...    # default: any message is a wake

Messages are hints: the default handler only requests a tick, so several messages become one tick. A handler of your own
answers calls, or handles one request under that request's correlation ID, and calls `wake()` if a tick is needed.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import trio

from actors.kernel.actor import Actor
from actors.kernel.envelope import Envelope, current_envelope
from actors.kernel.timers import next_beat
from logconf import get_logger
from logconf.correlation import new_correlation_id

_logger = get_logger("actors.kernel.ticking")


@attrs.frozen
class Tick:
    """The message of the envelope that is "handled" during a cycle, so that messages sent in the cycle name it as
    their cause.
    """

    causes: tuple[Envelope, ...]


class TickingActor(Actor):
    """An actor that repeats one thing: at intervals, and at once when it is woken.

    ``interval``: seconds between ticks. The first tick comes at once, ticks never overlap, a missed tick is left out,
    and a wake does not shift the interval. ``fault_limit``: this many failed ticks in a row fail the actor; each is
    logged at ERROR with ``fault_message``, and the next tick runs.
    """

    interval: float = math.inf
    fault_limit: int = 1
    fault_message: str = "Error in tick"
    faults: int = 0  # in a row, up to now
    _next_beat: float = -math.inf
    _causes: tuple[Envelope, ...] | None = None

    # -- To override

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """Run one cycle.

        ``causes``: the envelopes that requested it since the last cycle; empty if only the time has come.
        """

    def next_tick(self) -> float:
        """Trio time at which the next cycle is due without a wake.

        ``Clock.look_again`` gives one for a wall deadline.
        """
        return self._next_beat

    async def handle(self, message: Any) -> Any:
        """Take any message as a wake."""
        self.wake()

    # -- To use

    def wake(self) -> None:
        """Tick as soon as what waits has been handled; from a handler, or from a task beside the mailbox."""
        envelope = current_envelope()
        self._causes = (self._causes or ()) + (() if envelope is None else (envelope,))
        self.ref.mailbox.wake()

    # -- The machinery

    async def run_loop(self) -> None:
        """Serve until the next tick, tick, and so on; no ticks while suspended or once a stop was asked for."""
        while await self.serve(self._due()):
            if not self.ref.mailbox.system and self._due() <= trio.current_time():
                await self._cycle()

    def _due(self) -> float:
        if self.suspended or self.stopping:
            return math.inf
        return -math.inf if self._causes is not None else self.next_tick()

    async def _cycle(self) -> None:
        causes, self._causes = self._causes or (), None
        now = trio.current_time()
        if self._next_beat == -math.inf:
            self._next_beat = now + self.interval
        elif self._next_beat <= now:
            self._next_beat = next_beat(self._next_beat, self.interval, now)
        envelope = Envelope.of(Tick(causes), new_correlation_id())
        self.bind(envelope)
        try:
            await self.tick(causes)
        except Exception:  # the cycle's border: a fault of one cycle must not end the watch over everything else
            self.faults += 1
            _logger.exception(self.fault_message, extra={"actor": self.ref.name, "faults_in_a_row": self.faults})
            if self.faults >= self.fault_limit:
                raise
        else:
            self.faults = 0
        finally:
            self.bind(None)
