"""Sends the webhooks of the fake: signed, and repeated until they are accepted; on demand also doubled and out of
order.
"""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from heapq import heappop, heappush

import attrs
import orjson
import trio

from actors.notification_targets import webhook
from actors.testing.fake_replicate import documents
from actors.testing.fake_replicate.fake import FakeReplicate
from actors.testing.fake_replicate.jobs import RemoteJob

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Sends a body to an address, with headers; returns the status, 0 without an answer."""

RETRIES = (1.0, 5.0, 30.0)
"""Seconds before a delivery that was not answered with 2xx is sent again."""


@attrs.frozen
class Disorder:
    """How irregular the deliveries are: each comes up to ``late`` seconds late, is sent ``copies`` times, or is
    ``lost``.
    """

    late: float = 0.0
    copies: int = 1
    lost: bool = False


@attrs.frozen(order=True)
class _Due:
    at: datetime
    number: int
    job: RemoteJob = attrs.field(order=False)
    event: str = attrs.field(order=False)


class Deliveries:
    """Sends the webhooks of ``fake`` through ``post`` while :meth:`run` runs. ``sent`` counts them by the status of the
    answer.
    """

    def __init__(self, fake: FakeReplicate, post: Post, disorder: Disorder | None = None, seed: int = 0) -> None:
        self.sent: dict[int, int] = {}
        self._fake = fake
        self._post = post
        self._disorder = disorder or Disorder()
        self._draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self._due: list[_Due] = []
        self._reported: set[tuple[str, str]] = set()
        self._count = 0
        self._changed = trio.Event()
        fake.on_change = self._plan

    async def run(self) -> None:
        """Send until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                now = self._fake.now()
                while self._due and self._due[0].at <= now:
                    due = heappop(self._due)
                    if self._still_true(due):
                        self._reported.add((due.job.id, due.event))
                        nursery.start_soon(self._deliver, due)
                wait = (self._due[0].at - now).total_seconds() if self._due else math.inf
                with trio.move_on_after(wait):
                    await self._changed.wait()

    def _plan(self, job: RemoteJob) -> None:
        """Plan the events of a job that is new or has changed."""
        if job.webhook is None:
            return
        moments = [("start", job.starts_at), ("completed", job.ends_at)]
        for event, moment in moments:
            if event in job.events and moment is not None:
                self._count += 1
                heappush(self._due, _Due(moment, self._count, job, event))
        self._changed.set()

    def _still_true(self, due: _Due) -> bool:
        """Return whether a planned event still holds. After a cancel, an event planned for the earlier end is not sent,
        and none is sent twice.
        """
        standing = due.job.standing(due.at)
        happened = standing.completed_at == due.at if due.event == "completed" else standing.started_at is not None
        return happened and (due.job.id, due.event) not in self._reported

    async def _deliver(self, due: _Due) -> None:
        job, disorder = due.job, self._disorder
        if disorder.lost or job.webhook is None:
            return
        body = orjson.dumps(documents.whole(job, due.at, "https://api.replicate.com"))
        delivery = f"msg_{due.number:024d}"
        await trio.sleep(self._draw.uniform(0, disorder.late))
        for _ in range(disorder.copies):
            await self._send(job.webhook, delivery, body)

    async def _send(self, url: str, delivery: str, body: bytes) -> None:
        for pause in (*RETRIES, None):
            status = await self._post(url, signed(self._fake.secret, delivery, self._fake.now(), body), body)
            self.sent[status] = self.sent.get(status, 0) + 1
            if 200 <= status < 300 or pause is None:
                return
            await trio.sleep(pause)


def signed(secret: str, delivery: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery, signed as the Standard Webhooks specification says (v1)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return {"content-type": "application/json", **webhook.signed([key], delivery, body, now)}
