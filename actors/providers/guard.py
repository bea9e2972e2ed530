"""The guard around a provider: a deadline for each call, and every failure judged, never thrown at an actor.

A provider is somebody else's code that talks to somebody else's machine. What it raises, how long it takes and what
it returns are judged here, once, so that the actors decide by a :class:`FailureKind` (B12, B13) and a fault of a
provider is no crash of theirs. A call's answer is either what the protocol says or a :class:`Failure`.

Cancellation passes through untouched. A ``submit`` that is cancelled leaves no answer at all: its committed intent
stands, and is settled as every unknown outcome is.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar, cast

import trio

from actors.jobs.records import Capacity, JobRequest
from actors.jobs.retry import FailureKind
from actors.providers.answers import (
    checked_ack,
    checked_capacity,
    checked_chunk,
    checked_facts,
    checked_find,
    checked_prepared,
    checked_secrets,
    checked_submitted,
    checked_view,
)
from actors.providers.base import (
    CancelAck,
    Capabilities,
    Found,
    Handle,
    Idempotency,
    LogChunk,
    Nudge,
    Prepared,
    Provider,
    Rejected,
    Submitted,
    View,
)
from actors.providers.breaker import Breaker, BreakerOpen, BreakerOptions, Permit
from actors.providers.classify import Blame, Failure, blame, classify, counts_as_success
from actors.providers.deadlines import CallDeadlines
from actors.providers.deliveries import DeliveryReading, DeliveryReport, ReadsDeliveries
from actors.providers.delivery_reading import GuardedDelivery, WholeDelivery
from actors.providers.log_streams import Streams
from actors.providers.lost_jobs import TakesVerdicts
from actors.providers.remarks import Remark, Remarks
from supervision import faults

__all__ = ["CallDeadlines", "Failure", "GuardedProvider", "classify"]

T = TypeVar("T")

# Fault points around every call; the subject is the provider's name and the call's: "local.submit".
PROVIDER_BEFORE, PROVIDER_AFTER = "provider.before", "provider.after"


class GuardedProvider:
    """A provider as the actors see it: the calls of :class:`Provider`, each answering its result or a failure."""

    def __init__(
        self, provider: Provider, deadlines: CallDeadlines | None = None, breaker: BreakerOptions | None = None
    ) -> None:
        self._provider = provider
        self.breaker = Breaker(provider.name, breaker)
        self._deadlines = deadlines if deadlines is not None else CallDeadlines()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._provider.name

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self._provider.capabilities

    @property
    def remarks(self) -> trio.MemoryReceiveChannel[Remark] | None:
        """What it says of jobs that have ended; None: nothing, ever."""
        return cast("Remarks", self._provider).remarks if hasattr(self._provider, "remarks") else None

    def capacity(self) -> Capacity | Failure:
        """What there is in all."""
        return self._ask("capacity", lambda: checked_capacity(self._provider.capacity()))

    def prepare(self, request: JobRequest) -> Prepared | Failure:
        """``request`` checked and translated; a failure of kind ``INVALID`` names the field and the fix."""
        return self._ask("prepare", lambda: checked_prepared(self._provider.prepare(request)))

    async def check(self) -> Mapping[str, Any] | Failure:
        """Facts about the account or machine."""
        return await self._call("check", self._deadlines.check, self._provider.check, checked_facts)

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted | Failure:
        """Hand a job over. Whatever is not surely a refusal is ``OUTCOME_UNKNOWN``."""
        return await self._call(
            "submit",
            self._deadlines.submit,
            lambda: self._provider.submit(key, token, prepared, context),
            checked_submitted,
            key,
        )

    async def find(self, key: str, token: str) -> Found | Failure:
        """What the provider knows under ``key``."""
        # Where the id is not ours, a list is searched.
        about = key if self.capabilities.submit_idempotency is Idempotency.CLIENT_ID else None
        return await self._call(
            "find", self._deadlines.find, lambda: self._provider.find(key, token), checked_find, about
        )

    async def observe_many(self, handles: Mapping[str, Handle]) -> View | Failure:
        """What became of these jobs. An observation that makes no sense is moved to ``failed`` of the view."""
        pages = max(1, math.ceil(len(handles) / self.capabilities.page_size))
        return await self._call(
            "observe",
            self._deadlines.observe + (pages - 1) * self._deadlines.page,
            lambda: self._provider.observe_many(handles),
            lambda view: checked_view(view, handles),
            next(iter(handles)) if len(handles) == 1 else None,
        )

    async def cancel(self, key: str, handle: Handle) -> CancelAck | Failure:
        """Ask for an end."""
        return await self._call(
            "cancel", self._deadlines.cancel, lambda: self._provider.cancel(key, handle), checked_ack, key
        )

    async def logs(
        self, key: str, handle: Handle, cursor: str | None = None, at_most: int = 1 << 20
    ) -> list[LogChunk] | Failure:
        """What there is of the job's output from ``cursor``: whole chunks, until ``at_most`` bytes are passed."""

        async def read() -> list[LogChunk]:
            chunks: list[LogChunk] = []
            size = 0
            # Every provider's logs() is an async generator; the protocol does not ask for more than it uses.
            stream = cast("AsyncGenerator[LogChunk, None]", self._provider.logs(key, handle, cursor))
            async with aclosing(stream):
                async for chunk in stream:
                    chunks.append(checked_chunk(chunk))
                    size += len(chunk.data)
                    if size >= at_most:
                        break
            return chunks

        return await self._call("logs", self._deadlines.logs, read, lambda chunks: chunks, key)

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> Failure | None:
        """Send the job's output into ``into`` until the job ends; of providers whose logs are a stream alone.

        Not through the breaker: it lasts as long as the job, and waits an outage out instead of being refused in one.
        """
        provider = cast("Streams", self._provider)
        return await self._attempt(
            "follow", math.inf, lambda: provider.follow(key, handle, into, cursor), lambda _: None
        )

    def parse_delivery(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
    ) -> DeliveryReport:
        """A delivery, verified and read; whatever goes wrong in it is a rejection, so that no delivery can hurt."""
        reading = self.read_delivery(headers, secrets, now)
        if isinstance(reading, Rejected):
            return reading
        reading.add(body)
        return reading.done(body, len(body))

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> GuardedDelivery | Rejected:
        """The same, piece by piece, for a body that is not held whole."""

        def begin() -> DeliveryReading | Rejected:
            if hasattr(self._provider, "read_delivery"):
                return cast("ReadsDeliveries", self._provider).read_delivery(headers, secrets, now)
            return WholeDelivery(self._provider, headers, secrets, now)

        reading = self._ask("read_delivery", begin)
        if isinstance(reading, (Failure, Rejected)):
            return Rejected(reading.message if isinstance(reading, Failure) else reading.reason)
        return GuardedDelivery(reading, lambda step: self._ask("read_delivery", step))

    async def delivery_secrets(self, *, fresh: bool = False) -> tuple[str, ...] | Failure:
        """The secrets that deliveries are signed with; ``fresh``: asked for again."""
        return await self._call(
            "delivery_secrets",
            self._deadlines.delivery_secrets,
            lambda: self._provider.delivery_secrets(fresh=fresh),
            checked_secrets,
        )

    async def forget(self, key: str, handle: Handle) -> Failure | None:
        """Remove what the provider keeps of an ended job."""
        return await self._call(
            "forget", self._deadlines.forget, lambda: self._provider.forget(key, handle), lambda _: None, key
        )

    async def settled(self, key: str) -> Failure | None:
        """Pass on a person's word that nothing of an uncertain job runs any more, where that matters."""
        provider = self._provider
        if not isinstance(provider, TakesVerdicts):
            return None
        return await self._attempt("settled", self._deadlines.forget, lambda: provider.settled(key), lambda _: None)

    async def watch(self, nudge: Nudge) -> Failure | None:
        """Run until cancelled, passing nudges on. None: this provider cannot; a failure: watch again after a while."""
        return await self._attempt("watch", math.inf, lambda: self._provider.watch(nudge), lambda _: None)

    async def aclose(self) -> Failure | None:
        """Release what the provider holds, within its deadline even when the caller is cancelled."""
        return await self._attempt("aclose", self._deadlines.aclose, self._provider.aclose, lambda _: None, shield=True)

    async def _call(
        self,
        name: str,
        seconds: float,
        call: Callable[[], Awaitable[Any]],
        checked: Callable[[Any], T],
        about: str | None = None,
    ) -> T | Failure:
        """The one way that every request goes; while the breaker is open, none does.

        ``about``: the key of the only job that is asked about, None where it is about all of them.
        """
        try:
            permit = self.breaker.admit()
        except BreakerOpen as refusal:
            await trio.lowlevel.checkpoint()
            return Failure(FailureKind.UNAVAILABLE, str(refusal), refusal.retry_after, refusal)
        try:
            answer = await self._attempt(name, seconds, call, checked)
            if not isinstance(answer, Failure) or counts_as_success(answer):
                permit.succeeded()
            else:
                self._count(name, answer, about, permit)
            return answer
        finally:
            permit.leave()

    def _count(self, name: str, failure: Failure, about: str | None, permit: Permit) -> None:
        local = self.capabilities.ends_are_local_events
        match blame(name, failure, about_one_job=about is not None, local=local):
            case Blame.PROVIDER:
                permit.failed(failure.message)
            case Blame.JOB if about is not None:
                permit.failed(failure.message, about.rpartition("-")[0] or about)  # all attempts of one job are one

    async def _attempt(
        self,
        name: str,
        seconds: float,
        call: Callable[[], Awaitable[Any]],
        checked: Callable[[Any], T],
        *,
        shield: bool = False,
    ) -> T | Failure:
        with trio.move_on_after(seconds, shield=shield):
            try:
                if faults.active is None:
                    return checked(await call())
                subject = f"{self.name}.{name}"
                await faults.async_point(PROVIDER_BEFORE, subject)
                answer = checked(await call())
                await faults.async_point(PROVIDER_AFTER, subject)
                return answer
            except Exception as error:  # noqa: BLE001 - the guard: whatever a provider raises is judged
                return classify(name, error)
            except BaseExceptionGroup as group:
                # Cancellation of ours beside failures of the provider's: the failures are part of the group's story,
                # but only the cancellation may travel on, or a scope above would let the failures through.
                _, stop = group.split(Exception)
                assert stop is not None
                raise stop from group
        kind = FailureKind.OUTCOME_UNKNOWN if name == "submit" else FailureKind.UNAVAILABLE
        return Failure(kind, f"{self.name} did not answer {name} within {seconds:g} s")

    def _ask(self, name: str, question: Callable[[], T]) -> T | Failure:
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - the guard, for the calls that do not wait
            return classify(name, error)
