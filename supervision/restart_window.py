"""Restart intensity: at most `max_restarts` in any `period` seconds, exact, the edge of the window inclusive.

OTP's rule (`supervisor.erl`, add_restart) without its truncation to whole seconds. A restart counts while it is at most
`period` old.
"""

from __future__ import annotations

from collections import deque

import attrs

from supervision.errors import RestartRecord


@attrs.define(eq=False)
class RestartWindow:
    """The restarts of the last `period` seconds. `now` is always an argument: no clock is read here."""

    max_restarts: int
    period: float
    _records: deque[RestartRecord] = attrs.field(factory=deque, init=False)

    def used(self, now: float) -> int:
        """The number of restarts in the window at `now`."""
        records = self._records
        while records and now > records[0].at + self.period:  # as a sleeper reckons it: a difference rounds otherwise
            records.popleft()
        return len(records)

    def used_by(self, child: str, now: float) -> int:
        """The number of restarts of `child` in the window at `now`."""
        return sum(record.child == child and now <= record.at + self.period for record in self._records)

    def full(self, now: float) -> bool:
        """Whether one more restart would exceed the limit."""
        return self.used(now) >= self.max_restarts

    def spend(self, now: float, child: str, reason: str) -> int:
        """Count one restart. Returns how many are in the window, this one included."""
        self._records.append(RestartRecord(now, child, reason))
        return self.used(now)

    def forget(self, child: str) -> None:
        """Remove the restarts of `child` from the window, so that a parked child does not use up its siblings'
        limit.
        """
        self._records = deque(record for record in self._records if record.child != child)

    def history(self) -> tuple[RestartRecord, ...]:
        """The restarts in the window, oldest first, as of the last call."""
        return tuple(self._records)
