"""How long to wait before a restart: exponential, capped, with jitter.

Full jitter (a delay drawn evenly between zero and the exponential bound) spreads children that failed together best.
Equal jitter (half of the bound, and up to the other half drawn) has a shortest delay, so that a number of restarts
lasts for a time that can be counted on. See "Exponential Backoff And Jitter",
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from __future__ import annotations

import math
import random

import attrs
from attrs.validators import optional

from supervision import checks
from supervision.errors import SpecError


class Jitter(checks.Choice):
    """Which part of a delay is random: all of it, half of it, or none."""

    FULL = "full"
    EQUAL = "equal"
    NONE = "none"


def _jitter(value: str | bool) -> Jitter:
    if isinstance(value, bool):
        return Jitter.FULL if value else Jitter.NONE
    return Jitter(value)


@checks.checked_arguments
@attrs.frozen
class Backoff:
    """Delays between a failure and the restart, and how many failures in a row are too many.

    The n-th restart in a row waits at most `min(maximum, initial * factor ** (n - 1))` seconds. With jitter "full" (or
    True) the delay is drawn evenly between zero and that bound, with "equal" between half of the bound and the bound;
    with "none" (or False) it is the bound. Failures are "in a row" until a run lasts at least `reset_after` seconds
    from ready to exit (None: `maximum` seconds); a start that succeeds is not enough. After `max_failures` restarts in
    a row (None: no limit) the next failure gives up; with long delays the supervisor's own window would never be
    exceeded. `seed` makes the jitter repeatable; each child has a random stream of its own. Wrong values raise
    SpecError.
    """

    initial: float = attrs.field(default=0.1, validator=checks.number(finite=True))
    maximum: float = attrs.field(default=30.0, validator=checks.number(finite=True))
    factor: float = attrs.field(default=2.0, validator=checks.number(least=1.0, finite=True))
    jitter: Jitter = attrs.field(default=Jitter.FULL, converter=_jitter)
    reset_after: float | None = attrs.field(default=None, validator=optional(checks.number()))
    max_failures: int | None = attrs.field(default=None, validator=optional(checks.whole()))
    seed: int | None = attrs.field(default=None, validator=optional(checks.whole(least=-math.inf)))

    def __attrs_post_init__(self) -> None:
        if self.maximum < self.initial:
            raise SpecError("maximum", f"must be at least initial ({self.initial:g}), not {self.maximum:g}")

    @classmethod
    def none(cls) -> Backoff:
        """A back-off that restarts at once, every time, without a limit of failures in a row, as OTP does."""
        return cls(initial=0.0, maximum=0.0, jitter=Jitter.NONE)

    def bound(self, failures: int) -> float:
        """The longest delay (s) before the next restart, after `failures` restarts in a row."""
        try:
            return min(self.maximum, self.initial * self.factor**failures)
        except OverflowError:
            return self.maximum

    def delay(self, failures: int, source: random.Random) -> float:
        """The delay (s) before the next restart, after `failures` restarts in a row."""
        bound = self.bound(failures)
        if self.jitter is Jitter.NONE or bound <= 0:
            return bound
        return source.uniform(bound / 2 if self.jitter is Jitter.EQUAL else 0.0, bound)

    def source(self, child: str) -> random.Random:
        """The random stream of one child: the same for the same seed, in any process."""
        # a str seeds by its SHA-512, which no hash seed touches
        return random.Random(None if self.seed is None else f"{self.seed}/{child}")  # noqa: S311 - jitter, no secret

    def healthy(self, uptime: float) -> bool:
        """Whether a run of `uptime` seconds ends a row of failures."""
        needed = self.maximum if self.reset_after is None else self.reset_after
        return uptime > 0 and uptime >= needed
