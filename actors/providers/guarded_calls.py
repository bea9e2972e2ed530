"""The guard around a provider: each call has a deadline, and every failure is classified and never raised in an actor.

A provider is foreign code that talks to a foreign machine. What it raises, how long it takes and what it returns are
checked here, once, so that the actors decide by a :class:`FailureKind` (B12, B13) and a fault of a provider does not
crash them. The result of a call is either what the protocol says or a :class:`Failure`.

The states of a call, and what can happen in each:

1. *Permit requested.* The breaker gives one or refuses at once (``UNAVAILABLE``: certainly nothing was sent). From
   here on the permit is held until the end, and freed whatever happens.
2. *In progress*, until its deadline. If it raises, :mod:`.classify` classifies the error. If it does not answer in
   time, nobody knows what the provider did: ``submit`` is ``OUTCOME_UNKNOWN``, and all others, which may be repeated,
   are ``UNAVAILABLE``. If its caller is cancelled, only the cancellation is raised, even if the provider raised too:
   there is no answer then. If the process is killed here, a ``submit`` has its intent committed and no answer
   recorded, which is settled like every unknown outcome, by ``find``.
3. *Answered.* :mod:`.answers` checks the answer before it is used; an invalid one is a failure like an error that was
   raised. For ``submit`` it is ``OUTCOME_UNKNOWN``, too, because the job may exist.
4. *Counted.* Each call is reported to the breaker once: as a success, as a failure of the provider or of one job, or
   as nothing if the call was cancelled or says nothing about the provider.

So a submission that may have been accepted never looks like one that was refused, and no call takes longer than its
deadline. ``follow`` and ``watch`` have no deadline. They bypass the breaker, and so do ``settled`` and ``aclose``,
because they must reach the provider also in an outage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from actors.jobs.retry import FailureKind
from actors.providers.base import CallDeadlines, Capabilities, Provider
from actors.providers.breaker import Breaker, BreakerOpen, BreakerOptions, Permit
from actors.providers.classify import Blame, Failure, blame, classify, counts_as_success
from supervision import faults

T = TypeVar("T")

# Fault points around every call; the subject is the provider's name and the call's: "local.submit".
PROVIDER_BEFORE, PROVIDER_AFTER = "provider.before", "provider.after"


class GuardedCalls:
    """The guard of every call to ``provider``."""

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

    async def _call(
        self,
        name: str,
        checked: Callable[[Any], T],
        call: Callable[[], Awaitable[Any]],
        *,
        about: str | None = None,
        more_seconds: float = 0.0,
    ) -> T | Failure:
        """Make one call, unless the breaker is open.

        ``about``: the key of the only job that is asked about; None: all of them.
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
