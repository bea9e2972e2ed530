"""Which providers are polled on a timer (B6); a pure decision from configuration."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.providers.base import Capabilities


@attrs.frozen
class Switch:
    """``polled``: providers polled on every beat. ``active``: whether timed polling is on. ``why``: the reason."""

    polled: frozenset[str]
    active: bool
    why: str


def decide_polling(
    enabled: bool | None, capabilities: Mapping[str, Capabilities], webhook_urls: Mapping[str, str | None]
) -> Switch:
    """Explicit on or off wins; otherwise a remote provider is polled unless it has a ``webhook_url``.

    Providers whose ends are local events need no timed polling and do not count: with none but those, timed polling
    counts as on and polls them as a safety net.
    """
    everything = frozenset(capabilities)
    local = frozenset(name for name, can in capabilities.items() if can.ends_are_local_events)
    if enabled is True:
        return Switch(everything, True, "switched on in the configuration")
    if enabled is False:
        return Switch(frozenset(), False, "switched off in the configuration")
    silent = frozenset(name for name in everything - local if webhook_urls.get(name))
    remote = everything - local
    if remote and remote == silent:
        return Switch(local, False, f"not needed: webhooks are configured for {', '.join(sorted(silent))}")
    return Switch(everything - silent, True, "automatic")
