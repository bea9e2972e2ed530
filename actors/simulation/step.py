"""One step of a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs


@attrs.frozen
class Step:
    """One thing that happens ``at`` simulated seconds. ``number`` is its place in the script, from 0."""

    at: float
    kind: str
    args: Mapping[str, Any] = attrs.field(factory=dict)
    number: int = -1

    def with_requests(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Step:
        """The step with each of its requests as ``change`` makes it."""
        args = dict(self.args)
        if "request" in args:
            args["request"] = change(args["request"])
        if "requests" in args:
            args["requests"] = [change(one) for one in args["requests"]]
        return attrs.evolve(self, args=args)

    def __str__(self) -> str:
        return f"#{self.number} {self.kind} " + " ".join(f"{name}={value}" for name, value in self.args.items())
