"""The present limits and providers' gates: what is configured, overridden by what was changed at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.events import EventType
from actors.jobs.options import Limits
from actors.jobs.records import Capacity
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.scheduling import Running
from actors.jobs.suggestions import did_you_mean
from actors.store import Transaction, gates, queue, runtime_settings

PREFIX = "limits."
_PER_PROVIDER = "per_provider."
_SWITCHES = ("fair_share", "count_clusters")
_NAMES = tuple(field.name for field in attrs.fields(Limits) if field.name != "per_provider")


def effective_limits(connection: Connection, configured: Limits) -> Limits:
    """The limits in effect: the stored value of each wins over the configured one (B10)."""
    return overlaid(configured, stored_limits(connection))


def limits_view(connection: Connection, configured: Limits) -> tuple[Limits, dict[str, str]]:
    """The limits in effect, and which of them were changed at run time."""
    stored = stored_limits(connection)
    return overlaid(configured, stored), dict.fromkeys(stored, "stored")


def stored_limits(connection: Connection) -> dict[str, int]:
    """The limits that were changed at run time, by name without prefix."""
    stored = runtime_settings.read(connection, PREFIX)
    return {name.removeprefix(PREFIX): value for name, value in stored.items()}


def overlaid(configured: Limits, stored: Mapping[str, int]) -> Limits:
    """``configured`` with the ``stored`` values in their places."""
    per_provider = dict(configured.per_provider)
    plain: dict[str, Any] = {}
    for name, value in stored.items():
        if name.startswith(_PER_PROVIDER):
            per_provider[name.removeprefix(_PER_PROVIDER)] = value
        elif name in _NAMES:
            plain[name] = value
    return attrs.evolve(configured, **plain, per_provider=per_provider)


def narrowed(
    limits: Limits, running: Iterable[Running], probes: Mapping[str, int], capacities: Mapping[str, Capacity]
) -> Limits:
    """``limits`` while some providers are only tried; ``probes``: how many more calls each of them may get."""
    counts = dict.fromkeys(probes, 0)
    for one in running:
        if one.provider in counts:
            counts[one.provider] += one.count
    bounds = dict(limits.per_provider)
    for name, more in probes.items():
        bound = limits.of_provider(name, separate=capacities.get(name, Capacity()).separate_limits)
        bounds[name] = counts[name] + more if bound is None else min(bound, counts[name] + more)
    return attrs.evolve(limits, per_provider=bounds)


def check_known(name: str, providers: Iterable[str]) -> None:
    """Raises :class:`Refused` for the limit of an unknown provider, which would never apply."""
    provider = name.removeprefix(_PER_PROVIDER)
    known = list(providers)
    if name.startswith(_PER_PROVIDER) and provider not in known:
        suggested = did_you_mean(provider[:80], known)
        message = f"limit {name!r:.80}: there is no provider {provider!r:.80}{suggested}"
        raise Refused(message, RefusalKind.INVALID, field="name")


def check_limit(name: str, value: int) -> None:
    """Raises :class:`Refused` for an unknown name or an invalid value."""
    if not name.startswith(_PER_PROVIDER) and name not in _NAMES:
        known = (*_NAMES, "per_provider.NAME")
        raise Refused(
            f"there is no limit {name!r:.80}{did_you_mean(name[:80], known)}", RefusalKind.INVALID, field=name[:200]
        )
    if name in _SWITCHES and value not in (0, 1):
        raise Refused(f"{name} must be 0 or 1", RefusalKind.INVALID, field=name)
    if value < 0:
        raise Refused(f"{name} must be 0 or more, not {value}", RefusalKind.INVALID, field=name)


def set_limit(tx: Transaction, name: str, value: int, *, by: str | None) -> None:
    """Change one limit and keep it. Raises :class:`Refused` as :func:`check_limit` does."""
    check_limit(name, value)
    kept: int | bool = bool(value) if name in _SWITCHES else value
    runtime_settings.put(tx.connection, PREFIX + name, kept, tx.now, by)
    tx.emit(EventType.LIMITS_CHANGED, None, tx.correlation_id, limit=name, value=int(value), by=by)


def reset_limits(tx: Transaction, names: Iterable[str], *, by: str | None) -> None:
    """Return to the configured limits: those named, or all if none is."""
    for name in names:
        check_limit(name, 0)
    changed = list(names) or list(stored_limits(tx.connection))
    if changed:
        runtime_settings.drop(tx.connection, [PREFIX + name for name in changed])
        tx.emit(EventType.LIMITS_CHANGED, None, tx.correlation_id, reset=changed, by=by)


def gate_of(tx: Transaction, provider: str) -> gates.Gate:
    """The gate of this provider, or of the queue (:data:`gates.EVERY`)."""
    return gates.read(tx.connection).get(provider) or gates.Gate(provider)


def pause(tx: Transaction, provider: str | None, *, reason: str, by: str | None) -> None:
    """Dispatch no jobs to a provider, or (None) to any, until somebody resumes it."""
    gate = gate_of(tx, provider or gates.EVERY)
    gates.put(tx.connection, attrs.evolve(gate, paused_reason=reason))
    if provider is None:
        tx.emit(EventType.QUEUE_PAUSED, None, tx.correlation_id, reason=reason, by=by)
    else:
        tx.emit(EventType.PROVIDER_PAUSED, None, tx.correlation_id, provider=provider, reason=reason, by=by)


def resume(tx: Transaction, provider: str | None, *, by: str | None) -> None:
    """Dispatch jobs to a paused or closed provider again, or (None) to all that were not paused by name."""
    gates.put(tx.connection, gates.Gate(provider or gates.EVERY))
    if provider is None:
        tx.emit(EventType.QUEUE_RESUMED, None, tx.correlation_id, by=by)
        return
    queue.release_provider(tx.connection, provider)
    tx.emit(EventType.PROVIDER_RESUMED, None, tx.correlation_id, provider=provider, by=by)
