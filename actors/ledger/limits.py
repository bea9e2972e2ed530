"""Limits and providers' gates as they are now: what was configured, overlaid by what was changed at run time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from actors.jobs.options import Limits
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import did_you_mean
from actors.store import Transaction, queue, registers

PREFIX = "limits."
_PER_PROVIDER = "per_provider."
_NAMES = tuple(field.name for field in attrs.fields(Limits) if field.name != "per_provider")


def effective_limits(tx: Transaction, configured: Limits) -> Limits:
    """The limits that hold: the stored value of each wins over the configured one (B10)."""
    return overlaid(configured, stored_limits(tx))


def stored_limits(tx: Transaction) -> dict[str, int]:
    """What was changed at run time, by name without prefix."""
    stored = registers.stored_settings(tx.connection, PREFIX)
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


def check_known(name: str, providers: Iterable[str]) -> None:
    """Raises :class:`Refused` for the limit of a provider that there is none of: nobody would ever be held to it."""
    provider = name.removeprefix(_PER_PROVIDER)
    known = list(providers)
    if name.startswith(_PER_PROVIDER) and provider not in known:
        guess = did_you_mean(provider[:80], known)
        message = f"limit {name!r:.80}: there is no provider {provider!r:.80}{guess}"
        raise Refused(message, RefusalKind.INVALID, field="name")


def check_limit(name: str, value: int) -> None:
    """Raises :class:`Refused` for a name that is no limit or a value that is none."""
    if not name.startswith(_PER_PROVIDER) and name not in _NAMES:
        known = (*_NAMES, "per_provider.NAME")
        raise Refused(
            f"there is no limit {name!r:.80}{did_you_mean(name[:80], known)}", RefusalKind.INVALID, field=name[:200]
        )
    if name == "fair_share" and value not in (0, 1):
        raise Refused("fair_share must be 0 or 1", RefusalKind.INVALID, field=name)
    if value < 0:
        raise Refused(f"{name} must be 0 or more, not {value}", RefusalKind.INVALID, field=name)


@attrs.frozen
class SettingLimit:
    """The closure that changes one limit and keeps it."""

    name: str
    value: int
    by: str | None
    correlation_id: str

    def __call__(self, tx: Transaction) -> None:
        value: int | bool = bool(self.value) if self.name == "fair_share" else self.value
        registers.put_setting(tx.connection, PREFIX + self.name, value, tx.now, self.by)
        tx.emit("limits_changed", None, self.correlation_id, limit=self.name, value=self.value, by=self.by)


@attrs.frozen
class ResettingLimits:
    """The closure that forgets changed limits: those named, or all."""

    names: Iterable[str]
    by: str | None
    correlation_id: str

    def __call__(self, tx: Transaction) -> None:
        names = list(self.names) or list(stored_limits(tx))
        if names:
            registers.drop_settings(tx.connection, [PREFIX + name for name in names])
            tx.emit("limits_changed", None, self.correlation_id, reset=names, by=self.by)


@attrs.frozen
class Pausing:
    """The closure that pauses a provider, or (None) the whole queue, until somebody resumes it."""

    provider: str | None
    reason: str
    by: str | None
    correlation_id: str

    def __call__(self, tx: Transaction) -> None:
        name = self.provider or registers.EVERY
        gate = registers.gates(tx.connection).get(name) or registers.Gate(name)
        registers.put_gate(tx.connection, attrs.evolve(gate, paused_reason=self.reason))
        told = {} if self.provider is None else {"provider": self.provider}
        type_ = "queue_paused" if self.provider is None else "provider_paused"
        tx.emit(type_, None, self.correlation_id, **told, reason=self.reason, by=self.by)


@attrs.frozen
class Resuming:
    """The closure that opens a paused or closed provider, or (None) the queue: what was paused by itself stays so."""

    provider: str | None
    by: str | None
    correlation_id: str

    def __call__(self, tx: Transaction) -> None:
        registers.put_gate(tx.connection, registers.Gate(self.provider or registers.EVERY))
        if self.provider is None:
            tx.emit("queue_resumed", None, self.correlation_id, by=self.by)
            return
        queue.release_provider(tx.connection, self.provider)
        tx.emit("provider_resumed", None, self.correlation_id, provider=self.provider, by=self.by)
