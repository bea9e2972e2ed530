"""A runtime in memory over a simulated remote, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRule
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings


@pytest.fixture
async def runtime() -> AsyncIterator[RunningRuntime]:
    """Jobs of config ``dear`` need an approval."""
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    rule = ApprovalRule("Dear", "config_pattern", "dear", rule_id=1)
    settings = virtual_settings(approvals=ApprovalOptions(rules=(rule,)))
    async with running_runtime(settings=settings, parts=parts) as running:
        yield running
