"""The state of a runtime for Prometheus: rows are counted in a reader's thread, the rest is in memory."""

from __future__ import annotations

from actors.control.context import Context
from actors.control.health import HealthCheck
from actors.control.tree import Tree
from actors.kernel import Registry
from actors.ledger import queries
from actors.metrics import Tallies


class Metrics:
    """Collects the state at each request. ``tallies``: what is counted while the runtime runs."""

    def __init__(self, context: Context, registry: Registry, tree: Tree, health: HealthCheck, tallies: Tallies) -> None:
        self._context = context
        self._registry = registry
        self._tree = tree
        self._health = health
        self._tallies = tallies

    async def scrape(self) -> bytes:
        """The state in Prometheus's text format. Raises :class:`~actors.store.errors.StoreError`."""
        from actors.metrics.exposition import State, exposed  # prometheus-client takes 20 ms and few need it

        ledger, registry = self._context.ledger, self._registry
        state = State(
            counts=await ledger.read(queries.plain_counts),
            children=tuple(self._tree.children()),
            actors=tuple(registry),
            dead_letters=registry.dead_letters.total,
            quarantined=len(registry.quarantine),
            breakers={
                name: (one.breaker.state.value, one.breaker.opened) for name, one in self._context.providers.items()
            },
            healthy=(await self._health.check()).status == "ok",
            uptime=self._health.uptime,
            log_bytes=ledger.store.log_bytes,
        )
        return exposed(state, self._tallies)
