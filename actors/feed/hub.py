"""One reader of events for all connections: each event is read from its row, given its owner and encoded once.

Nobody has a queue. The newest events lie in one ring, each connection has a place in it and takes what comes after that
place when its client has taken what came before; one that falls behind the ring reads rows of its own until it is there
again. So a hundred clients cost one query an event, and one that stalls costs a number.
"""

from __future__ import annotations

from bisect import bisect_right

import attrs
import trio

from actors.control.runtime import Runtime
from actors.documents.records import encoded, event_document
from actors.jobs.records import Event
from actors.jobs.refusal import Refused

RING = 1000
"""Events that are kept at least, and twice as many at most: some 300 bytes each."""
BATCH = 100
MOST_OWNERS = 20_000
"""Jobs whose user is remembered; the others are looked up again."""


@attrs.frozen
class Told:
    """An event as it is sent. ``owner``: the user of its job; None: it is about no job that is kept."""

    seq: int
    type: str
    job_id: str | None
    owner: str | None
    text: str


class Hub:
    """The newest events of ``runtime``, and a wait for newer ones."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.last: int | None = None
        self._ring: list[Told] = []
        self._base: int | None = None
        self._news = trio.Event()
        self._owners: dict[str, str | None] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read every event from now on, until cancelled. Raises ``StoreError`` when rows cannot be read."""
        async with self.runtime.events() as changes:
            task_status.started()
            async for event in changes:
                self._keep(await self.told(event))

    def _keep(self, told: Told) -> None:
        if self._base is None:
            self._base = told.seq - 1
        self._ring.append(told)
        if len(self._ring) > 2 * RING:
            del self._ring[:RING]
        self.last = told.seq
        self._news.set()
        self._news = trio.Event()

    async def told(self, event: Event) -> Told:
        """``event`` as it is sent."""
        text = encoded(event_document(event)).decode()
        return Told(event.seq, event.type, event.job_id, await self._owner(event), text)

    async def _owner(self, event: Event) -> str | None:
        """The user of the event's job: its first event says it, later ones are remembered or looked up."""
        job_id = event.job_id
        if job_id is None:
            return None
        if job_id in self._owners:
            return self._owners[job_id]
        owner = event.data.get("user_id")
        if owner is None:
            try:
                owner = (await self.runtime.jobs.get(job_id)).job.request.user_id
            except Refused:  # it was removed since
                owner = None
        if len(self._owners) >= MOST_OWNERS:
            del self._owners[next(iter(self._owners))]
        self._owners[job_id] = owner
        return owner

    def covers(self, seq: int) -> bool:
        """Whether everything after ``seq`` that has happened is in the ring."""
        return bool(self._ring) and seq >= self._ring[0].seq - 1

    def after(self, seq: int | None) -> list[Told] | None:
        """The next events after ``seq``; None where the ring does not reach back to it.

        ``seq`` None: after the moment at which the hub began, for who came before anything had happened.
        """
        start = self._base if seq is None else seq
        if start is None or (self.last is not None and start >= self.last):
            return []
        if not self.covers(start):
            return None
        first = bisect_right(self._ring, start, key=lambda told: told.seq)
        return self._ring[first : first + BATCH]

    async def wait_beyond(self, seq: int | None) -> None:
        """Return once there is an event after ``seq``."""
        while self.last is None or (seq is not None and self.last <= seq):
            await self._news.wait()
