"""Whether each provider answers and accepts its credentials: all are asked at once, each within its deadline."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from actors.providers.guard import Failure, GuardedProvider
from actors.providers.http_errors import sample


async def check_all(providers: Mapping[str, GuardedProvider]) -> dict[str, str | None]:
    """What is wrong with each provider, in one line without secrets; None: nothing is."""
    faults: dict[str, str | None] = dict.fromkeys(providers)

    async def check(name: str, provider: GuardedProvider) -> None:
        answer = await provider.check()
        if isinstance(answer, Failure):
            faults[name] = sample(answer.message) or answer.kind.value

    async with trio.open_nursery() as nursery:
        for name, provider in providers.items():
            nursery.start_soon(check, name, provider)
    return faults
