"""What happened in a simulation, a line each: kept to be read, hashed to be compared."""

from __future__ import annotations

import hashlib
from collections import Counter


class Trace:
    """Lines with the simulated time and the step that was the last to begin. ``digest`` covers all of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reached: Counter[str] = Counter()
        self._hash = hashlib.sha256()

    def add(self, elapsed: float, text: str) -> None:
        """One more line; ``elapsed`` is in simulated seconds."""
        line = f"{elapsed:.3f} {text}"
        self.lines.append(line)
        self._hash.update(line.encode() + b"\n")

    def count(self, what: str) -> None:
        """For the summary: ``what`` was reached."""
        self.reached[what] += 1

    @property
    def digest(self) -> str:
        """64 hex digits that are equal for equal runs."""
        return self._hash.hexdigest()


class Violation(Exception):
    """A promise was broken. ``rule`` names it; the message has the details."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


class Killed(BaseException):
    """Raised inside a simulated process that was killed, so that it does nothing any more."""
