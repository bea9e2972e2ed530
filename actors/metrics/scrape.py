"""One scrape: gather the state and write it down. Rows are counted in a reader's thread, the rest is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.kernel import Registry
from actors.ledger import Ledger, queries
from actors.metrics.tallies import Tallies
from actors.providers.guard import GuardedProvider
from supervision import ChildInfo


async def scrape(
    ledger: Ledger,
    registry: Registry,
    children: Sequence[ChildInfo],
    providers: Mapping[str, GuardedProvider],
    tallies: Tallies,
    *,
    healthy: bool,
    uptime: float,
) -> bytes:
    """The state of a runtime as text for Prometheus; raises :class:`~actors.store.errors.StoreError`."""
    from actors.metrics.exposition import State, exposed  # prometheus-client takes 20 ms and is wanted by few

    state = State(
        counts=await ledger.read(queries.plain_counts),
        children=tuple(children),
        actors=tuple(registry),
        dead_letters=registry.dead_letters.total,
        quarantined=len(registry.quarantine),
        breakers={name: (one.breaker.state.value, one.breaker.opened) for name, one in providers.items()},
        healthy=healthy,
        uptime=uptime,
        log_bytes=ledger.store.log_bytes,
    )
    return exposed(state, tallies)
