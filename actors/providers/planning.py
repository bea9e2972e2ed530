"""What whoever plans calls must know of all providers at one moment."""

from __future__ import annotations

from collections.abc import Mapping

from actors.jobs.records import Capacity
from actors.providers.breaker import BreakerAdvice
from actors.providers.guard import Failure, GuardedProvider


def capacities(providers: Mapping[str, GuardedProvider]) -> dict[str, Capacity]:
    """What each provider has in all; one that cannot say is left out, and nothing is dispatched there."""
    asked = {name: provider.capacity() for name, provider in providers.items()}
    return {name: capacity for name, capacity in asked.items() if not isinstance(capacity, Failure)}


def breaker_advice(providers: Mapping[str, GuardedProvider]) -> dict[str, BreakerAdvice]:
    """What the circuit breakers that are not closed ask of whoever plans calls."""
    return {name: asks for name, provider in providers.items() if (asks := provider.breaker.advice) is not None}
