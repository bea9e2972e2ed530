"""What the operations of every subject use: the ledger, the providers, the clock."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.jobs.records import Capacity
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import suggestion_of_configured
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.ledger.queries import DecisionContext
from actors.providers.guard import GuardedProvider
from actors.providers.planning import capacities, reserve_policy


@attrs.frozen
class Context:
    """Shared by the subjects of one runtime. ``providers``: by name, each behind its guard and circuit breaker."""

    ledger: Ledger
    providers: Mapping[str, GuardedProvider]
    clock: Clock

    @property
    def capacities(self) -> dict[str, Capacity]:
        """What each provider can run at the same time."""
        return capacities(self.providers)

    @property
    def for_decision(self) -> DecisionContext:
        """What a query needs in order to say why a queue entry waits."""
        policy = reserve_policy(self.ledger.queue, self.providers)
        return DecisionContext(self.ledger.limits, self.capacities, self.clock.now(), policy)

    def provider(self, name: str) -> GuardedProvider:
        """The provider of this name. Raises :class:`Refused` if it is not configured."""
        found = self.providers.get(name)
        if found is None:
            suggested = suggestion_of_configured(name[:80], self.providers, "providers")
            raise Refused(f"there is no provider {name!r:.80}{suggested}", RefusalKind.NOT_FOUND, "provider")
        return found


class Subject:
    """One subject of a runtime, such as its queue: operations that use a :class:`Context`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
