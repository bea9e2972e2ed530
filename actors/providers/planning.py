"""All providers at one moment: their capacity, the advice of their breakers, and whether they answer."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from actors.jobs.options import QueueOptions
from actors.jobs.records import Capacity
from actors.jobs.reservations import ReservePolicy
from actors.providers.breaker import BreakerAdvice
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.samples import sample


def capacities(providers: Mapping[str, GuardedProvider]) -> dict[str, Capacity]:
    """The capacity of each provider; one that cannot say is left out, and gets no jobs."""
    asked = {name: provider.capacity() for name, provider in providers.items()}
    return {
        name: _limited(capacity, apart=providers[name].capabilities.separate_limits)
        for name, capacity in asked.items()
        if not isinstance(capacity, Failure)
    }


def _limited(capacity: Capacity, *, apart: bool) -> Capacity:
    return capacity if capacity.separate_limits is apart else attrs.evolve(capacity, separate_limits=apart)


def reserve_policy(options: QueueOptions, providers: Mapping[str, GuardedProvider]) -> ReservePolicy:
    """For which jobs resources are kept, and when a provider has certainly ended a job that ran for too long."""
    grace = {name: one.capabilities.deadline_grace for name, one in providers.items()}
    known = {name: seconds for name, seconds in grace.items() if seconds is not None}
    return ReservePolicy(options.reserve_after, known)


def breaker_advice(providers: Mapping[str, GuardedProvider]) -> dict[str, BreakerAdvice]:
    """What the circuit breakers that are not closed advise the scheduler."""
    return {name: asks for name, provider in providers.items() if (asks := provider.breaker.advice) is not None}


async def check_all(providers: Mapping[str, GuardedProvider]) -> dict[str, str | None]:
    """What is wrong with each provider, in one line without secrets; None: nothing is wrong."""
    faults: dict[str, str | None] = dict.fromkeys(providers)

    async def check(name: str, provider: GuardedProvider) -> None:
        answer = await provider.check()
        if isinstance(answer, Failure):
            faults[name] = sample(answer.message) or answer.kind.value

    async with trio.open_nursery() as nursery:
        for name, provider in providers.items():
            nursery.start_soon(check, name, provider)
    return faults
