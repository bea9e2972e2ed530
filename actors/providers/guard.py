"""The guard around a provider: a deadline for each call, every failure classified, never thrown at an actor.

A provider is foreign code that talks to a foreign machine. What it raises, how long it takes and what it returns are
checked here, once, so that the actors decide by a :class:`FailureKind` (B12, B13) and a fault of a
provider is no crash of theirs. A call's answer is either what the protocol says or a :class:`Failure`.

A call's states, and what can happen between them:

1. *Asked for a permit.* The breaker gives one or refuses at once (``UNAVAILABLE``: surely nothing was sent). From here
   to the end the permit is held, and freed whatever happens.
2. *Under way*, until its deadline. It may raise: :mod:`.classify` says what that means. It may not answer in time: then
   nobody knows what the provider did, so ``submit`` is ``OUTCOME_UNKNOWN`` and all others, which may be repeated, are
   ``UNAVAILABLE``. It may be cancelled by its caller, whose cancellation passes through alone, even where the provider
   raised beside it: no answer exists then. Killed here, a ``submit`` has its intent committed and no answer written
   down, which is settled as every unknown outcome is, by ``find``.
3. *Answered.* :mod:`.answers` looks at the answer before anybody relies on it; one that makes no sense is a failure
   like one that was raised. ``submit`` is ``OUTCOME_UNKNOWN`` then, too, since the job may be there.
4. *Counted.* The breaker hears of it, each call once: a success, a failure of the provider's, of one job's, or nothing
   where the call was cancelled or says nothing about the provider.

What holds: a submission that may have been accepted never looks like one that was refused; no call waits longer than
its deadline, except ``follow`` and ``watch``, which have none and go around the breaker, as ``settled`` and ``aclose``
do, since they must reach the provider also in an outage.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, cast

import trio

from actors.jobs.records import Capacity, JobRequest
from actors.jobs.retry import FailureKind
from actors.providers import abilities, answers
from actors.providers.base import (
    CallDeadlines,
    CancelAck,
    Capabilities,
    Found,
    Handle,
    Idempotency,
    LogChunk,
    Nudge,
    Prepared,
    Provider,
    Submitted,
    View,
)
from actors.providers.breaker import Breaker, BreakerOpen, BreakerOptions, Permit
from actors.providers.classify import Blame, Failure, blame, classify, counts_as_success
from actors.providers.deliveries import Rejected
from actors.providers.guarded_abilities import AbilityCalls
from actors.providers.guarded_delivery import GuardedDelivery
from supervision import faults

__all__ = ["CallDeadlines", "Failure", "GuardedProvider"]

T = TypeVar("T")

# Fault points around every call; the subject is the provider's name and the call's: "local.submit".
PROVIDER_BEFORE, PROVIDER_AFTER = "provider.before", "provider.after"


class GuardedProvider(AbilityCalls):
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
    def remarks(self) -> trio.MemoryReceiveChannel[abilities.Remark] | None:
        """What it says of jobs that have ended; None: nothing, ever."""
        return self._provider.remarks if isinstance(self._provider, abilities.Remarks) else None

    def capacity(self) -> Capacity | Failure:
        """What there is in all."""
        return self._ask("capacity", lambda: answers.checked_capacity(self._provider.capacity()))

    def devices(self) -> tuple[str, ...] | None:
        """The names of its GPUs; None: it does not name them."""
        provider = self._provider
        if not isinstance(provider, abilities.NamesDevices):
            return None
        found = self._ask("devices", lambda: answers.checked_devices(provider.devices))
        return None if isinstance(found, Failure) else found

    def prepare(self, request: JobRequest) -> Prepared | Failure:
        """``request`` checked and translated; a failure of kind ``INVALID`` names the field and the fix."""
        return self._ask(
            "prepare", lambda: answers.of_type(self._provider.prepare(request), Prepared, "prepared request")
        )

    async def check(self) -> Mapping[str, Any] | Failure:
        """Facts about the account or machine."""
        return await self._call("check", partial(answers.checked_object, what="facts"), self._provider.check)

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted | Failure:
        """Submit a job. Whatever is not surely a refusal is ``OUTCOME_UNKNOWN``."""
        submit = partial(self._provider.submit, key, token, prepared, context)
        return await self._call("submit", answers.checked_submitted, submit, about=key)

    async def find(self, key: str, token: str) -> Found | Failure:
        """What the provider knows under ``key``."""
        # Where the id is not ours, a list is searched.
        about = key if self.capabilities.submit_idempotency is Idempotency.CLIENT_ID else None
        return await self._call("find", answers.checked_find, partial(self._provider.find, key, token), about=about)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View | Failure:
        """What became of these jobs. An observation that makes no sense is moved to ``failed`` of the view."""
        pages = max(1, math.ceil(len(handles) / self.capabilities.page_size))
        return await self._call(
            "observe",
            lambda view: answers.checked_view(view, handles),
            partial(self._provider.observe_many, handles),
            about=next(iter(handles)) if len(handles) == 1 else None,
            more_seconds=(pages - 1) * self._deadlines.page,
        )

    async def cancel(self, key: str, handle: Handle) -> CancelAck | Failure:
        """Ask for an end."""
        checked = partial(answers.of_type, cls=CancelAck, what="answer to a cancel request")
        return await self._call("cancel", checked, partial(self._provider.cancel, key, handle), about=key)

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
        """Where the last ``lines`` lines, or what came ``since`` then, begin; of providers that seek."""
        seek = partial(cast("abilities.SeeksLogs", self._provider).log_cursor, key, handle, lines=lines, since=since)
        return await self._call("logs", answers.checked_place, seek, about=key)

    async def follow(
        self, key: str, handle: Handle, into: trio.MemorySendChannel[LogChunk], cursor: str | None = None
    ) -> Failure | None:
        """Send the job's output into ``into`` until the job ends; of providers whose logs are a stream alone.

        Not through the breaker: it lasts as long as the job, and waits an outage out instead of being refused in one.
        """
        follow = partial(cast("abilities.FollowsLogs", self._provider).follow, key, handle, into, cursor)
        return await self._attempt("follow", math.inf, answers.nothing, follow)

    def read_delivery(
        self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime
    ) -> GuardedDelivery | Rejected:
        """Begin to read a delivery; whatever goes wrong in it is a rejection, so that no delivery can hurt."""
        reading = self._ask("read_delivery", lambda: self._provider.read_delivery(headers, secrets, now))
        if isinstance(reading, Failure):
            return Rejected(reading.message)
        if isinstance(reading, Rejected):
            return reading
        return GuardedDelivery(reading, lambda step: self._ask("read_delivery", step))

    async def delivery_secrets(self, *, fresh: bool = False) -> tuple[str, ...] | Failure:
        """The secrets that deliveries are signed with; ``fresh``: asked for again."""
        secrets = partial(self._provider.delivery_secrets, fresh=fresh)
        return await self._call("delivery_secrets", answers.checked_secrets, secrets)

    async def forget(self, key: str, handle: Handle) -> Failure | None:
        """Remove what the provider keeps of an ended job."""
        return await self._call("forget", answers.nothing, partial(self._provider.forget, key, handle), about=key)

    async def watch(self, nudge: Nudge) -> Failure | None:
        """Run until cancelled, passing nudges on. None: this provider cannot; a failure: watch again after a while."""
        return await self._attempt("watch", math.inf, answers.nothing, partial(self._provider.watch, nudge))

    async def aclose(self) -> Failure | None:
        """Release what the provider holds, within its deadline even when the caller is cancelled."""
        seconds = self._deadlines.aclose
        return await self._attempt("aclose", seconds, answers.nothing, self._provider.aclose, shield=True)

    async def _call(
        self,
        name: str,
        checked: Callable[[Any], T],
        call: Callable[[], Awaitable[Any]],
        *,
        about: str | None = None,
        more_seconds: float = 0.0,
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
            answer = await self._attempt(name, getattr(self._deadlines, name) + more_seconds, checked, call)
            if not isinstance(answer, Failure) or counts_as_success(answer):
                self.breaker.succeeded(permit)
            else:
                self._count(name, answer, about, permit)
            return answer
        finally:
            self.breaker.leave(permit)

    def _count(self, name: str, failure: Failure, about: str | None, permit: Permit) -> None:
        local = self.capabilities.ends_are_local_events
        match blame(name, failure, about_one_job=about is not None, local=local):
            case Blame.PROVIDER:
                self.breaker.failed(permit, failure.message)
            case Blame.JOB if about is not None:
                job = about.rpartition("-")[0] or about  # all attempts of one job are one
                self.breaker.failed(permit, failure.message, job)

    async def _attempt(
        self,
        name: str,
        seconds: float,
        checked: Callable[[Any], T],
        call: Callable[[], Awaitable[Any]],
        *,
        shield: bool = False,
    ) -> T | Failure:
        subject = f"{self.name}.{name}"
        with trio.move_on_after(seconds, shield=shield):
            try:
                if faults.active is not None:
                    await faults.async_point(PROVIDER_BEFORE, subject)
                answer = checked(await call())
                if faults.active is not None:
                    await faults.async_point(PROVIDER_AFTER, subject)
                return answer
            except Exception as error:  # noqa: BLE001 - the guard: whatever a provider raises is classified
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
