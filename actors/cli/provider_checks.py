"""What ``doctor`` says of the configured providers: whether each answers and accepts its credentials."""

from __future__ import annotations

from datetime import UTC, datetime

import trio

from actors.cli.client import Client
from actors.cli.context import Failed
from actors.providers.errors import ProviderError
from actors.providers.guard import GuardedProvider
from actors.providers.planning import check_all
from actors.providers.registry import BrokenProvider, UnknownProvider, create
from actors.settings import Settings


def provider_faults(config: str | None, settings: Settings, *, running: bool) -> dict[str, str | None]:
    """What is wrong with each provider, in one line; None: nothing is.

    ``running``: a supervisor is there, and asks its own. Else they are made for this question; but not `local`, which
    would make its folders, and of which ``doctor`` looks at the machine itself.
    """
    if running:
        try:
            found = Client(config).ask("GET", "api", "providers", params={"check": "true"})["providers"]
        except Failed:  # said elsewhere
            return {}
        return {one["name"]: one["fault"] for one in found}
    return trio.run(_faults, settings)


async def _faults(settings: Settings) -> dict[str, str | None]:
    faults: dict[str, str | None] = {}
    made: dict[str, GuardedProvider] = {}
    for name, one in settings.providers.items():
        if one.kind == "local":
            continue
        root = settings.state_dir / "providers" / name
        try:
            made[name] = GuardedProvider(create(one.kind, name, one.options, root, lambda: datetime.now(UTC)))
        except (ProviderError, BrokenProvider, UnknownProvider, OSError, ValueError) as error:
            faults[name] = str(error)
    try:
        return faults | await check_all(made)
    finally:
        for provider in made.values():
            await provider.aclose()
