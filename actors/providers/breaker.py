"""A circuit breaker for each provider: after failures in a row no call is made for a while, then a few calls try it.

If a failure concerns one job only, it waits until a call about another job, or about all jobs, fails too before one
succeeds. So a job that the provider cannot answer about stops no other job.

Closed: calls are allowed, and a number of failures in a row opens the breaker. Open: calls are refused at once, until
its time is over. Half open: a few calls are allowed at once; if enough of them succeed in a row, it closes; if one
fails, it opens again for the same time. A call counts for the phase in which it began, so a late outcome of an earlier
call changes nothing. A cancelled call has no outcome and only frees its permit.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import NewType

import attrs
import trio
from attrs.validators import ge, gt

from actors.jobs.quantities import Seconds
from actors.providers.errors import Unavailable
from logconf import get_logger

_logger = get_logger("actors.providers.breaker")

PROBE_AGAIN = 1.0
"""Seconds after which a call may try again if all permits of the half-open breaker were taken."""


class BreakerState(StrEnum):
    """Whether calls are allowed."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.frozen
class BreakerOptions:
    """When calls to a provider that fails are stopped.

    ``failures``: the number of failures in a row after which the breaker opens. ``open_seconds``: how long it stays
    open; no calls are made in this time. ``half_open_calls``: how many probes, calls that test the provider,
    may then be made at a time. ``successes``: how many probes must succeed in a row before the breaker closes.
    """

    failures: int = attrs.field(default=5, validator=ge(1))
    successes: int = attrs.field(default=2, validator=ge(1))
    open_seconds: Seconds = attrs.field(default=60.0, validator=gt(0))
    half_open_calls: int = attrs.field(default=3, validator=ge(1))


class BreakerOpen(Unavailable):
    """The call was not made because the breaker is open; ``retry_after`` says when it may be made."""


@attrs.frozen
class BreakerAdvice:
    """What a breaker that is not closed advises the scheduler.

    ``retry_after``: seconds in which no calls are allowed. ``probes``: how many calls are allowed after that. ``why``:
    the failure that caused it.
    """

    retry_after: float
    probes: int
    why: str


Permit = NewType("Permit", int)
"""One allowed call: the phase of the breaker in which it began."""


class Breaker:
    """The breaker of provider ``name``. Times are trio's.

    ``opened``: how often it opened since the start, including failed probes. ``since``: when it last changed, None for
    never. ``why``: the failure that was counted last.
    """

    def __init__(self, name: str, options: BreakerOptions | None = None) -> None:
        self.name = name
        self.options = options if options is not None else BreakerOptions()
        self.opened = 0
        self.since: float | None = None
        self.why = ""
        self._phase = 0
        self._stored = BreakerState.CLOSED
        self._until = 0.0
        self._in_a_row = 0
        self._trying = 0
        self._suspect: str | None = None  # the one job about which alone calls failed since the last success

    @property
    def state(self) -> BreakerState:
        """The present state; an open breaker whose time is over counts as half open even before the first call."""
        over = self._stored is BreakerState.OPEN and self.retry_after == 0
        return BreakerState.HALF_OPEN if over else self._stored

    @property
    def retry_after(self) -> float:
        """Seconds for which it stays open; 0 if calls are allowed."""
        if self._stored is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._until - trio.current_time())

    @property
    def advice(self) -> BreakerAdvice | None:
        """How to plan calls now; None if there are no restrictions."""
        if self._stored is BreakerState.CLOSED:
            return None
        return BreakerAdvice(self.retry_after, self.options.half_open_calls - self._trying, self.why)

    def admit(self) -> Permit:
        """Allow one call, which then succeeds, fails or is left, and gives its permit back.

        Raises :class:`BreakerOpen` if it must not be made now.
        """
        if seconds := self.retry_after:
            raise BreakerOpen(f"provider {self.name} is not called for {seconds:.0f} s: {self.why}", seconds)
        if self._stored is BreakerState.OPEN:
            self._change(BreakerState.HALF_OPEN, logging.DEBUG, "is tried again")
        if self._stored is BreakerState.HALF_OPEN:
            if self._trying >= self.options.half_open_calls:
                raise BreakerOpen(f"provider {self.name} is being tried out: {self.why}", PROBE_AGAIN)
            self._trying += 1
        return Permit(self._phase)

    def half_open(self) -> None:
        """Let an open breaker allow calls at once, because an operator asked for it."""
        if self.retry_after:
            self._until = trio.current_time()
            self._change(BreakerState.HALF_OPEN, logging.INFO, "is tried again before its time, as asked by hand")

    def succeeded(self, permit: Permit) -> None:
        """The provider answered."""
        if permit != self._phase:
            return
        self._suspect = None
        if self._stored is BreakerState.CLOSED:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row >= self.options.successes:
            self._change(BreakerState.CLOSED, logging.INFO, "answers again")

    def failed(self, permit: Permit, why: str, job: str | None = None) -> None:
        """The provider did not answer, or not in an understandable form; ``job``: the only one that was asked about."""
        if permit != self._phase:
            return
        others_fail = self._stored is BreakerState.CLOSED and self._in_a_row > 0
        if job is not None and self._suspect in (None, job) and not others_fail:
            self._suspect = job
            return
        self.why = why
        if self._stored is BreakerState.HALF_OPEN:
            self._open(logging.INFO, f"still fails and is not called for {self.options.open_seconds:g} s: {why}")
            return
        # However often it failed, the job that was suspected until now counts once.
        self._in_a_row += 1 if self._suspect is None else 2
        self._suspect = None
        if self._in_a_row >= self.options.failures:
            said = (
                f"failed {self._in_a_row} times in a row and is not called for {self.options.open_seconds:g} s: {why}"
            )
            self._open(logging.WARNING, said)

    def leave(self, permit: Permit) -> None:
        """Give the permit back; if no outcome was reported before, the call does not count."""
        if permit == self._phase and self._stored is BreakerState.HALF_OPEN:
            self._trying -= 1

    def _open(self, level: int, said: str) -> None:
        self.opened += 1
        self._until = trio.current_time() + self.options.open_seconds
        self._change(BreakerState.OPEN, level, said)

    def _change(self, state: BreakerState, level: int, said: str) -> None:
        self._stored = state
        self._phase += 1
        self._in_a_row = self._trying = 0
        self._suspect = None
        self.since = trio.current_time()
        extra = {"provider": self.name, "state": state.value, "opened": self.opened}
        _logger.log(level, "Provider %s %s", self.name, said, extra=extra)
