"""The configured entry points, which jobs may name."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.providers.entry_points import EntryPoint


@attrs.frozen
class OfferedEntryPoint:
    """An entry point and one provider that can start it."""

    name: str
    provider: str
    entry_point: EntryPoint


class EntryPoints:
    """The entry points of one runtime. ``configured``: by the provider that starts them, then by their own names."""

    def __init__(self, configured: Mapping[str, Mapping[str, EntryPoint]]) -> None:
        self._configured = configured

    def listing(self) -> list[OfferedEntryPoint]:
        """Each entry point with each provider that can start it, by name."""
        found = [
            OfferedEntryPoint(name, provider, one)
            for provider, entry_points in self._configured.items()
            for name, one in entry_points.items()
        ]
        return sorted(found, key=lambda one: (one.name, one.provider))
