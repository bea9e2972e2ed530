"""The state of each provider: its abilities, whether it gets jobs, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.records import Capacity, Resources
from actors.ledger.ledger import Ledger
from actors.providers.base import Capabilities
from actors.providers.breaker import Breaker, BreakerState
from actors.providers.classify import Failure
from actors.providers.guard import GuardedProvider
from actors.store import gates, queue


@attrs.frozen
class BreakerView:
    """A circuit breaker at one moment.

    ``opened``: how often it opened since the start. ``retry_after``: seconds for which it stays open, 0 where calls may
    pass. ``why``: the failure that opened it last, "" where none did.
    """

    state: BreakerState
    opened: int
    retry_after: float
    why: str

    @classmethod
    def of(cls, breaker: Breaker) -> BreakerView:
        """``breaker`` as it is now."""
        return cls(breaker.state, breaker.opened, breaker.retry_after, breaker.why)


@attrs.frozen
class Usage:
    """What the jobs that run hold: slots, and bytes of memory of those that say how much they need."""

    jobs: int = 0
    cpus: int = 0
    gpus: int = 0
    memory: int = 0

    def plus(self, needs: Resources, count: int) -> Usage:
        """With ``count`` jobs more of these ``needs``."""
        memory = self.memory + count * (needs.memory or 0)
        return Usage(self.jobs + count, self.cpus + count * needs.cpus, self.gpus + count * needs.gpus, memory)


@attrs.frozen
class ProviderView:
    """A configured provider. ``kind``: None where a program gave it. ``gate``: why nothing is dispatched there now.

    ``checked``: it was asked just now whether it answers; ``fault``: what is wrong, in one line, None where nothing is.
    ``capacity``: None where it cannot say. ``in_use``: what jobs hold there, those that are being handed over and those
    of which nobody knows whether they run among them. ``devices``: the names of its GPUs, None where it names none.
    """

    name: str
    kind: str | None
    capabilities: Capabilities
    breaker: BreakerView
    gate: str | None
    checked: bool
    fault: str | None
    capacity: Capacity | None
    in_use: Usage
    devices: tuple[str, ...] | None


async def provider_views(
    ledger: Ledger,
    providers: Mapping[str, GuardedProvider],
    kinds: Mapping[str, str],
    faults: Mapping[str, str | None],
    now: datetime,
) -> list[ProviderView]:
    """All of ``providers`` by name, in the configured order; ``kinds`` says of which kind each is.

    ``faults``: what is wrong with those that were asked.
    """
    closed = await ledger.read(gates.closed, providers, now)
    held = await ledger.read(_usage)
    return [
        ProviderView(
            name,
            kinds.get(name),
            provider.capabilities,
            BreakerView.of(provider.breaker),
            None if (why := closed[name]) is None else why.reason,
            name in faults,
            faults.get(name),
            None if isinstance(capacity := provider.capacity(), Failure) else capacity,
            held.get(name, Usage()),
            provider.devices(),
        )
        for name, provider in providers.items()
    ]


def _usage(connection: Connection) -> dict[str, Usage]:
    """By provider, what jobs hold there."""
    found: dict[str, Usage] = {}
    for one in queue.running(connection):
        found[one.provider] = found.get(one.provider, Usage()).plus(one.resources, one.count)
    return found


def unhealthy(providers: Mapping[str, GuardedProvider]) -> list[str]:
    """A reason for each provider whose breaker is open."""
    return [
        f"provider {name} is not called for {breaker.retry_after:.0f} s: {breaker.why}"
        for name, provider in providers.items()
        if (breaker := provider.breaker).state is BreakerState.OPEN
    ]
