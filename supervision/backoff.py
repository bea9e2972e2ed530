"""How long to wait before a restart: exponential, capped, with jitter.

Full jitter (a delay drawn evenly between zero and the exponential bound) spreads children that failed together best.
Equal jitter (half of the bound, and up to the other half drawn) has a shortest delay, so that a number of restarts
lasts for a time that can be counted on. See "Exponential Backoff And Jitter",
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from __future__ import annotations

import enum
import random

import attrs

from supervision import checks
from supervision.errors import SpecError


class Jitter(enum.StrEnum):
    """Which part of a delay is drawn: all of it, half of it, none."""

    FULL = "full"
    EQUAL = "equal"
    NONE = "none"


@checks.checked_arguments
@attrs.frozen
class Backoff:
    """Delays between a failure and the restart, and how many failures in a row are too many.

    The n-th restart in a row waits at most `min(maximum, initial * factor ** (n - 1))` seconds: a time drawn evenly
    between zero and that with jitter "full" (or True), between half of that and that with "equal", that itself with
    "none" (or False). A run of at least `reset_after` seconds from ready to exit (None: `maximum`) ends the
    row; that a start worked does not. After `max_failures` restarts in a row (None: no limit) the next failure gives
    up: with long delays the supervisor's window alone would never trip. `seed` makes the jitter repeatable; each child
    draws from a stream of its own. Wrong values raise SpecError.
    """

    initial: float = 0.1
    maximum: float = 30.0
    factor: float = 2.0
    jitter: Jitter | str | bool = Jitter.FULL
    reset_after: float | None = None
    max_failures: int | None = None
    seed: int | None = None

    def __attrs_post_init__(self) -> None:
        checks.number("initial", self.initial, finite=True)
        checks.number("maximum", self.maximum, finite=True)
        if self.maximum < self.initial:
            raise SpecError("maximum", f"must be at least initial ({self.initial:g}), not {self.maximum:g}")
        checks.number("factor", self.factor, least=1.0, finite=True)
        if isinstance(self.jitter, bool):
            object.__setattr__(self, "jitter", Jitter.FULL if self.jitter else Jitter.NONE)
        elif type(self.jitter) is not Jitter:
            object.__setattr__(self, "jitter", checks.choice("jitter", Jitter, self.jitter))
        if self.reset_after is not None:
            checks.number("reset_after", self.reset_after)
        if self.max_failures is not None:
            checks.whole("max_failures", self.max_failures)
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            raise SpecError("seed", f"must be a whole number or None, not {self.seed!r}")

    @classmethod
    def none(cls) -> Backoff:
        """Restart at once, every time, without a limit of failures in a row: what OTP does."""
        return cls(initial=0.0, maximum=0.0, jitter=Jitter.NONE)

    def bound(self, row: int) -> float:
        """The longest delay (s) before the next restart, after `row` restarts in a row."""
        try:
            return min(self.maximum, self.initial * self.factor**row)
        except OverflowError:
            return self.maximum

    def delay(self, row: int, source: random.Random) -> float:
        """The delay (s) before the next restart, after `row` restarts in a row."""
        bound = self.bound(row)
        if self.jitter is Jitter.NONE or bound <= 0:
            return bound
        return source.uniform(bound / 2 if self.jitter is Jitter.EQUAL else 0.0, bound)

    def source(self, child: str) -> random.Random:
        """The stream of random numbers of one child: the same for the same seed, in any process."""
        # a str seeds by its SHA-512, which no hash seed touches
        return random.Random(None if self.seed is None else f"{self.seed}/{child}")  # noqa: S311 - jitter, no secret

    def healthy(self, uptime: float) -> bool:
        """Whether a run of `uptime` seconds ends a row of failures."""
        needed = self.maximum if self.reset_after is None else self.reset_after
        return uptime > 0 and uptime >= needed
