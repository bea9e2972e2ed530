"""Targets that are no programs and no servers: what a runtime in virtual time sends, and what they answer."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from actors.jobs.notifications import Notification, Outcome
from actors.jobs.notify_options import NotificationTarget


@attrs.define
class Targets:
    """What was received, in order, and the answers that are still to be given; where there is none, it is accepted.

    ``seconds``: how long a target takes. ``most``: deliveries that were under way at once, by target.
    """

    received: list[tuple[str, Notification]] = attrs.field(factory=list)
    times: list[float] = attrs.field(factory=list)
    answers: defaultdict[str, deque[Outcome]] = attrs.field(factory=lambda: defaultdict(deque))
    always: dict[str, Outcome] = attrs.field(factory=dict)
    seconds: dict[str, float] = attrs.field(factory=dict)
    under_way: dict[str, int] = attrs.field(factory=dict)
    most: dict[str, int] = attrs.field(factory=dict)
    decide: Callable[[Notification], Outcome | None] = lambda _one: None

    async def send(self, one: Notification, _target: NotificationTarget) -> Outcome:
        """As a target is sent one."""
        name = one.target
        self.under_way[name] = self.under_way.get(name, 0) + 1
        self.most[name] = max(self.most.get(name, 0), self.under_way[name])
        try:
            await trio.sleep(self.seconds.get(name, 0.0))
            self.received.append((name, one))
            self.times.append(trio.current_time())
            if (decided := self.decide(one)) is not None:
                return decided
            waiting = self.answers[name]
            return waiting.popleft() if waiting else self.always.get(name, Outcome())
        finally:
            self.under_way[name] -= 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        """As the notifier opens its sender."""
        yield self.send

    def types(self, target: str, job_id: str | None = None) -> list[str]:
        """The types that a target received, of one job or of all."""
        return [one.type.value for name, one in self.received if name == target and job_id in (None, one.job_id)]
