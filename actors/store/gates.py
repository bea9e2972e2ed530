"""Whether providers, and the queue as a whole, may be called: paused, closed for a while, or open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs
from sqlalchemy import Connection, select

from actors.jobs.bounds import WaitReason
from actors.store import remembered
from actors.store.dialect import insert_or_replace
from actors.store.prepared import Prepared
from actors.store.schema import provider_gates

EVERY = "*"
"""The gate of the queue as a whole; no provider is named so."""


@attrs.frozen
class Gate:
    """Whether a provider may be called: paused until a person resumes it, or closed until a moment.

    ``closed_seconds``: how long the wait is that ends at ``closed_until``.
    """

    provider: str
    paused_reason: str | None = None
    closed_until: datetime | None = None
    closed_reason: str | None = None
    failures: int = 0
    closed_seconds: float | None = None

    def closed(self, now: datetime) -> str | None:
        """Why nothing may be dispatched there at ``now``; None when it may."""
        if self.paused_reason is not None:
            what = "the queue" if self.provider == EVERY else f"provider {self.provider}"
            return f"{what} is paused: {self.paused_reason}"
        if self.closed_until is not None and self.closed_until > now:
            return f"provider {self.provider} is not asked before {self.closed_until:%H:%M:%S}: {self.closed_reason}"
        return None


_GATES = Prepared(select(provider_gates))
_PUT = Prepared(insert_or_replace(provider_gates, ("provider",)))


def read(connection: Connection) -> Mapping[str, Gate]:
    """The gates of all providers that ever had one changed."""
    return remembered.read(
        connection, "gates", lambda: {row["provider"]: Gate(**row) for row in _GATES.dicts(connection)}
    )


def closed(connection: Connection, names: Iterable[str], now: datetime) -> dict[str, WaitReason | None]:
    """For each of these providers why nothing may be dispatched there; None when something may."""
    found = read(connection)

    def reason(gate: str, command: str) -> WaitReason | None:
        why = found[gate].closed(now) if gate in found else None
        return None if why is None else WaitReason("closed", why, command)

    queue = reason(EVERY, "greenroom queue resume --all")
    return {name: queue or reason(name, f"greenroom queue resume {name}") for name in names}


def put(connection: Connection, gate: Gate) -> None:
    """Write a gate."""
    _PUT.run(connection, **attrs.asdict(gate))
    remembered.changed(connection)
