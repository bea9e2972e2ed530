"""A provider as the actors use it; :mod:`.guarded_calls` is the guard of every call.

The calls of optional abilities (:mod:`.abilities`) come last; if the provider lacks the ability, they return None.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, cast

import trio

from actors.jobs.records import Capacity, JobRequest
from actors.providers import abilities, answers
from actors.providers.base import (
    CallDeadlines,
    CancelAck,
    Found,
    Handle,
    Idempotency,
    LogChunk,
    Nudge,
    Prepared,
    Submitted,
    View,
)
from actors.providers.classify import Failure
from actors.providers.deliveries import Rejected
from actors.providers.guarded_calls import GuardedCalls
from actors.providers.guarded_delivery import GuardedDelivery

__all__ = ["CallDeadlines", "Failure", "GuardedProvider"]


class GuardedProvider(GuardedCalls):
    """The calls of :class:`~actors.providers.base.Provider`; each returns its result or a failure."""

    @property
    def remarks(self) -> trio.MemoryReceiveChannel[abilities.Remark] | None:
        """Its remarks about jobs that have ended; None: it makes none."""
        return self._provider.remarks if isinstance(self._provider, abilities.Remarks) else None

    def capacity(self) -> Capacity | Failure:
        """Its whole capacity."""
        return self._ask("capacity", lambda: answers.checked_capacity(self._provider.capacity()))

    def devices(self) -> tuple[str, ...] | None:
        """The names of its GPUs; None: it does not name them."""
        provider = self._provider
        if not isinstance(provider, abilities.NamesDevices):
            return None
        found = self._ask("devices", lambda: answers.checked_devices(provider.devices))
        return None if isinstance(found, Failure) else found

    def prepare(self, request: JobRequest) -> Prepared | Failure:
        """``request`` checked and translated; a failure of kind ``INVALID`` names the field and what to change."""
        return self._ask(
            "prepare", lambda: answers.of_type(self._provider.prepare(request), Prepared, "prepared request")
        )

    async def check(self) -> Mapping[str, Any] | Failure:
        """Facts about the account or machine."""
        return await self._call("check", partial(answers.checked_object, what="facts"), self._provider.check)

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted | Failure:
        """Submit a job. Every error that is not certainly a refusal is ``OUTCOME_UNKNOWN``."""
        submit = partial(self._provider.submit, key, token, prepared, context)
        return await self._call("submit", answers.checked_submitted, submit, about=key)

    async def find(self, key: str, token: str) -> Found | Failure:
        """What the provider knows under ``key``."""
        # Where the id is not ours, a list is searched.
        about = key if self.capabilities.submit_idempotency is Idempotency.CLIENT_ID else None
        return await self._call("find", answers.checked_find, partial(self._provider.find, key, token), about=about)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View | Failure:
        """Observe these jobs. An invalid observation is moved to ``failed`` of the view."""
        pages = max(1, math.ceil(len(handles) / self.capabilities.page_size))
        return await self._call(
            "observe",
            lambda view: answers.checked_view(view, handles),
            partial(self._provider.observe_many, handles),
            about=next(iter(handles)) if len(handles) == 1 else None,
            more_seconds=(pages - 1) * self._deadlines.page,
        )

    async def cancel(self, key: str, handle: Handle) -> CancelAck | Failure:
        """Ask the provider to end a job."""
        checked = partial(answers.of_type, cls=CancelAck, what="answer to a cancel request")
        return await self._call("cancel", checked, partial(self._provider.cancel, key, handle), about=key)

    async def logs(
        self, key: str, handle: Handle, cursor: str | None = None, at_most: int = 1 << 20
    ) -> list[LogChunk] | Failure:
        """The job's output from ``cursor`` on, in whole chunks, until there are at least ``at_most`` bytes."""

        async def read() -> list[LogChunk]:
            chunks: list[LogChunk] = []
            size = 0
            # Every provider's logs() is an async generator; the protocol does not ask for more than it uses.
            stream = cast("AsyncGenerator[LogChunk, None]", self._provider.logs(key, handle, cursor))
            async with aclosing(stream):
                async for chunk in stream:
                    chunks.append(answers.checked_chunk(chunk))
                    size += len(chunk.data)
                    if size >= at_most:
                        break
            return chunks

        return await self._call("logs", lambda chunks: chunks, read, about=key)

    @property
    def seeks_logs(self) -> bool:
        """Whether it can say where in a job's output to begin."""
        return isinstance(self._provider, abilities.SeeksLogs)

    async def log_cursor(
        self, key: str, handle: Handle, *, lines: int | None, since: datetime | None
    ) -> str | Failure | None:
        """The cursor of the last ``lines`` lines, or of what was written ``since`` a time; only for providers that
        can seek.
        """
        seek = partial(cast("abilities.SeeksLogs", self._provider).log_cursor, key, handle, lines=lines, since=since)
        return await self._call("logs", answers.checked_place, seek, about=key)

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> Failure | None:
        """Send the job's output into ``into`` until the job ends; for providers that stream.

        It bypasses the breaker, because it lasts as long as the job, and continues after an outage instead of being
        refused in it.
        """
        follow = partial(cast("abilities.FollowsLogs", self._provider).follow, key, handle, into, cursor)
        return await self._attempt("follow", math.inf, answers.nothing, follow)

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> GuardedDelivery | Rejected:
        """Begin to read a delivery; any error in it is a rejection, so that no delivery can do harm."""
        reading = self._ask("read_delivery", lambda: self._provider.read_delivery(headers, secrets, now))
        if isinstance(reading, Failure):
            return Rejected(reading.message)
        if isinstance(reading, Rejected):
            return reading
        return GuardedDelivery(reading, lambda step: self._ask("read_delivery", step))

    async def delivery_secrets(self, *, fresh: bool = False) -> tuple[str, ...] | Failure:
        """The secrets with which deliveries are signed; ``fresh``: ask for them again."""
        secrets = partial(self._provider.delivery_secrets, fresh=fresh)
        return await self._call("delivery_secrets", answers.checked_secrets, secrets)

    async def forget(self, key: str, handle: Handle) -> Failure | None:
        """Remove what the provider keeps of an ended job."""
        return await self._call("forget", answers.nothing, partial(self._provider.forget, key, handle), about=key)

    async def watch(self, nudge: Nudge) -> Failure | None:
        """Run until cancelled and pass nudges on. None: this provider cannot; a failure: watch again after a while."""
        return await self._attempt("watch", math.inf, answers.nothing, partial(self._provider.watch, nudge))

    async def aclose(self) -> Failure | None:
        """Release what the provider holds, within its deadline, even if the caller is cancelled."""
        seconds = self._deadlines.aclose
        return await self._attempt("aclose", seconds, answers.nothing, self._provider.aclose, shield=True)

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """The bytes of this job on a disk of ours; None: unknown."""
        if not isinstance(self._provider, abilities.MeasuresOutput):
            return None
        measure = partial(self._provider.stored_bytes, key, handle)
        found = await self._attempt("stored_bytes", self._deadlines.stored_bytes, answers.checked_size, measure)
        return None if isinstance(found, Failure) else found

    async def settled(self, key: str) -> Failure | None:
        """Pass on a person's decision that nothing of an uncertain job runs any more, if the provider needs it."""
        if not isinstance(self._provider, abilities.TakesVerdicts):
            return None
        settled = partial(self._provider.settled, key)
        return await self._attempt("settled", self._deadlines.settled, answers.nothing, settled)

    async def records_since(self) -> datetime | Failure | None:
        """The time since when it certainly knows every job that it accepted; None: it does not say."""
        if not isinstance(self._provider, abilities.KeepsRecords):
            return None
        return await self._call("records_since", answers.checked_moment, self._provider.records_since)

    async def list_jobs(self) -> list[abilities.ListedJob] | Failure | None:
        """The jobs that it runs for us, whether or not they are in our rows; None: it cannot list them."""
        if not isinstance(self._provider, abilities.ListsJobs):
            return None
        return await self._call("list_jobs", answers.checked_jobs, self._provider.list_jobs)

    async def check_requests(
        self, requests: Sequence[JobRequest]
    ) -> list[tuple[abilities.RequestFault, ...]] | Failure | None:
        """The faults of each of ``requests``, which were prepared before. None: the provider cannot check them."""
        if not isinstance(self._provider, abilities.ChecksRequests):
            return None
        check = partial(self._provider.check_requests, requests)
        checked = partial(answers.checked_faults, number=len(requests))
        return await self._attempt("check_requests", self._deadlines.check_requests, checked, check)
