"""The guarded calls of what a provider may have beside the protocol; one that has it not answers None."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from actors.jobs.records import JobRequest
from actors.providers import abilities, answers
from actors.providers.base import CallDeadlines, Handle, Provider
from actors.providers.classify import Failure

T = TypeVar("T")


class AbilityCalls(ABC):
    """The part of the guard that calls abilities (:mod:`actors.providers.abilities`)."""

    _provider: Provider
    _deadlines: CallDeadlines

    @abstractmethod
    async def _call(
        self,
        name: str,
        checked: Callable[[Any], T],
        call: Callable[[], Awaitable[Any]],
        *,
        about: str | None = None,
        more_seconds: float = 0.0,
    ) -> T | Failure:
        """A call that the circuit breaker admits and counts."""

    @abstractmethod
    async def _attempt(
        self,
        name: str,
        seconds: float,
        checked: Callable[[Any], T],
        call: Callable[[], Awaitable[Any]],
        *,
        shield: bool = False,
    ) -> T | Failure:
        """A call that goes around the breaker."""

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """What it has on a disk of ours of this job, in bytes; None: nothing is known of it."""
        if not isinstance(self._provider, abilities.MeasuresOutput):
            return None
        measure = partial(self._provider.stored_bytes, key, handle)
        found = await self._attempt("stored_bytes", self._deadlines.stored_bytes, answers.checked_size, measure)
        return None if isinstance(found, Failure) else found

    async def settled(self, key: str) -> Failure | None:
        """Pass on a person's word that nothing of an uncertain job runs any more, where that matters."""
        if not isinstance(self._provider, abilities.TakesVerdicts):
            return None
        settled = partial(self._provider.settled, key)
        return await self._attempt("settled", self._deadlines.settled, answers.nothing, settled)

    async def records_since(self) -> datetime | Failure | None:
        """Since when it surely knows every job that it accepted; None: it does not say."""
        if not isinstance(self._provider, abilities.KeepsRecords):
            return None
        return await self._call("records_since", answers.checked_moment, self._provider.records_since)

    async def held(self) -> list[abilities.Held] | Failure | None:
        """What it runs for us, known to our rows or not; None: it cannot list that."""
        if not isinstance(self._provider, abilities.ListsHeld):
            return None
        return await self._call("held", answers.checked_held, self._provider.held)

    async def check_requests(
        self, requests: Sequence[JobRequest]
    ) -> list[tuple[abilities.RequestFault, ...]] | Failure | None:
        """What is wrong with each of ``requests``, which were prepared before. None: the provider cannot see that."""
        if not isinstance(self._provider, abilities.ChecksRequests):
            return None
        check = partial(self._provider.check_requests, requests)
        checked = partial(answers.checked_faults, number=len(requests))
        return await self._attempt("check_requests", self._deadlines.check_requests, checked, check)
