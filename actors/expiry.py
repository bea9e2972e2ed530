"""The expiry actor: ends every approval request that is past its deadline, at the deadline itself."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from actors.jobs.events import Concern, concerning
from actors.jobs.options import ExpiryOptions
from actors.jobs.records import Event
from actors.kernel import Clock, Envelope, TickingActor
from actors.kernel.steps import StepWatch
from actors.ledger import Ledger
from actors.ledger.approvals import expire
from actors.ledger.queries import deadlines
from logconf import get_logger

_logger = get_logger("actors.expiry")

_WAKES = concerning(Concern.DEADLINE)

_AGAIN = timedelta(seconds=5)
"""Seconds from a failed sweep to the next: what is due must not wait for the interval, nor be tried without a pause."""


def wakes(event: Event) -> bool:
    """Whether ``event`` may have made the next deadline earlier."""
    return event.type in _WAKES


class Expiry(TickingActor):
    """Sweeps at the start, at its interval, and when the wall clock reaches the next deadline."""

    fault_limit = 5
    fault_message = "Error in approval expiry"

    def __init__(self, ledger: Ledger, clock: Clock, options: ExpiryOptions, steps: StepWatch | None = None) -> None:
        self.interval = options.interval_seconds
        self._steps = steps
        self._quiet_until = -math.inf
        self._ledger = ledger
        self._clock = clock
        self._deadline: datetime | None = None

    def next_tick(self) -> float:
        """The end of the interval or the next deadline; after a leap of the wall clock, when that may be believed. A
        distant one is checked again meanwhile, because the clock may step.
        """
        beat = super().next_tick()
        due = beat if self._deadline is None else min(beat, self._clock.look_again(self._deadline))
        return max(due, self._quiet_until)

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """One sweep: every open request whose deadline has come, each in a transaction of its own."""
        if self._steps is not None and (quiet := self._steps.quiet_seconds()):
            self._quiet_until, self._deadline = self._clock.monotonic() + quiet, self._clock.now()
            return
        self._deadline = self._clock.now() + _AGAIN
        due, _ = await self._ledger.read(deadlines, self._clock.now())
        expired = 0
        try:
            for approval_id in due:
                expired += await self._ledger.write(expire, approval_id)
        finally:  # also where a later one could not be written
            if expired:
                _logger.info("Expired %d approval requests", expired, extra={"expired": expired})
        now = self._clock.now()
        _, following = await self._ledger.read(deadlines, now)
        overdue = following is not None and following <= now  # nothing could end it: its row, or its job's, is damaged
        self._deadline = now + _AGAIN if overdue else following
