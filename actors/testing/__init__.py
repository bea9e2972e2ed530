"""Helpers for tests of programs that embed Greenroom. Greenroom's own tests use the same helpers.

    from actors.testing import ScriptedProvider, ScriptedRemote, VirtualClock, request, running_runtime

    async def test_a_job_is_run(autojump_clock):
        clock = VirtualClock()
        provider = ScriptedProvider(remote=ScriptedRemote(clock.now))
        async with running_runtime(provider, clock=clock) as runtime:
            job = await runtime.submit(request(duration=3600))
            assert (await runtime.wait(job.job_id)).status == "completed"

Under trio's ``MockClock`` such a test takes almost no real time: the store works in memory and without threads, and the
wall clock follows trio's clock.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.kernel import VirtualClock
    from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
    from actors.testing.conformance import Harness, provider_conformance
    from actors.testing.runtime import request, running_runtime, seeded_sources, virtual_settings
    from supervision import FaultPlan

__all__ = [
    "FaultPlan",
    "Harness",
    "ScriptedOptions",
    "ScriptedProvider",
    "ScriptedRemote",
    "VirtualClock",
    "provider_conformance",
    "request",
    "running_runtime",
    "seeded_sources",
    "virtual_settings",
]

_HOMES = {
    "FaultPlan": "supervision",
    "Harness": "actors.testing.conformance",
    **dict.fromkeys(("ScriptedOptions", "ScriptedProvider", "ScriptedRemote"), "actors.providers.scripted"),
    "VirtualClock": "actors.kernel",
    "provider_conformance": "actors.testing.conformance",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "actors.testing.runtime")), name)
