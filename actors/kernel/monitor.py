"""Monitors: exactly one notice that an actor went down."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio


@attrs.frozen
class Down:
    """The notice: one incarnation of an actor ended, or there was none any more.

    ``reason`` as in :class:`~actors.kernel.errors.ActorDown`; ``cause`` is what it died of; ``incarnation``
    counts this reference's from 1; ``at`` is trio seconds.
    """

    actor: str
    reason: str
    cause: BaseException | None
    incarnation: int
    at: float


class Monitor:
    """A watch on one actor, from ``ActorRef.monitor()``; ends with its one notice or by :meth:`cancel`."""

    def __init__(self, watching: dict[Monitor, None], notify: Callable[[Down], object] | None = None) -> None:
        self.down: Down | None = None
        self._watching = watching
        self._notify = notify
        self._happened = trio.Event()

    async def wait(self) -> Down:
        """The notice, once it is there; again the same one when asked again."""
        await self._happened.wait()
        assert self.down is not None
        return self.down

    def cancel(self) -> None:
        """Watch no longer; a notice that was not given yet never is. Who waits goes on waiting. Idempotent."""
        self._watching.pop(self, None)

    def deliver(self, down: Down) -> None:
        """Give the notice; for the reference that is watched."""
        self.down = down
        self._happened.set()
        if self._notify is not None:
            self._notify(down)
