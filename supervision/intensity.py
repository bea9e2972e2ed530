"""Restart intensity: at most `max_restarts` in any `period` seconds, exact, the edge of the window inclusive.

OTP's rule (`supervisor.erl`, add_restart) without its truncation to whole seconds. A spent unit counts while it is at
most `period` old.
"""

from __future__ import annotations

from collections import deque

from supervision.errors import Spent


class Window:
    """The restarts of the last `period` seconds. `now` is an argument everywhere: no clock is read here."""

    __slots__ = ("_spent", "max_restarts", "period")

    def __init__(self, max_restarts: int, period: float) -> None:
        self.max_restarts = max_restarts
        self.period = period
        self._spent: deque[Spent] = deque()

    def used(self, now: float) -> int:
        """How many units are spent at `now`."""
        spent = self._spent
        while spent and now - spent[0].at > self.period:
            spent.popleft()
        return len(spent)

    def used_by(self, child: str, now: float) -> int:
        """How many of the units spent at `now` were spent on `child`."""
        return sum(one.child == child and now - one.at <= self.period for one in self._spent)

    def full(self, now: float) -> bool:
        """Whether one more restart would be one too many."""
        return self.used(now) >= self.max_restarts

    def spend(self, now: float, child: str, reason: str) -> int:
        """Charge one restart; returns how many are used, this one included."""
        self._spent.append(Spent(now, child, reason))
        return self.used(now)

    def forget(self, child: str) -> None:
        """Give back what was spent on `child`: a parked child does not make its siblings' failures fatal."""
        self._spent = deque(spent for spent in self._spent if spent.child != child)

    def history(self) -> tuple[Spent, ...]:
        """What is spent, oldest first, as of the last look."""
        return tuple(self._spent)
