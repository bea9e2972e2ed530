"""Timed polling switched while it runs (B6), and rounds that fail while it is off (B2)."""

from __future__ import annotations

import attrs
import pytest
import trio

from actors.jobs.options import PollerOptions
from actors.ledger.queries import in_flight_at
from actors.poller.actor import FAULTY_CYCLES
from actors.providers.base import Push
from actors.providers.scripted import ScriptedOptions
from tests.runtime_fixtures import fail_reading

SILENT = ScriptedOptions(push=Push.NONE)


@pytest.mark.parametrize("enabled", [True, False])
async def test_changed_settings_switch_timed_polling_also_after_a_restart_of_the_poller(autojump_clock, world, enabled):
    async with world.open(options=SILENT, poller=PollerOptions(enabled=not enabled)) as runtime:
        background = attrs.evolve(runtime.settings.background, job_status_polling=PollerOptions(enabled=enabled))
        changed = attrs.evolve(runtime.settings, background=background)
        assert await runtime.refresh_polling_state() is not enabled
        assert await runtime.refresh_polling_state(changed) is enabled
        await runtime.tree.restart("poller")
        assert runtime.is_polling_active is enabled
        await world.submit(duration=1000)
        before = len(world.remote.calls_of("observe"))
        await trio.sleep(100)
        assert (len(world.remote.calls_of("observe")) > before + 1) is enabled


async def test_five_faulty_rounds_in_a_row_fail_the_poller_with_timed_polling_off_too(
    autojump_clock, world, monkeypatch
):
    def restarts() -> int:
        (group,) = (one for one in runtime.tree.describe() if one["id"] == "actors")
        (poller,) = (one for one in group["children"] if one["id"] == "poller")
        return int(poller["restarts"])

    async with world.open(options=SILENT, poller=PollerOptions(enabled=False)) as runtime:
        await trio.sleep(1)
        fail_reading(monkeypatch, runtime, in_flight_at)
        await trio.sleep(30 * (FAULTY_CYCLES - 1))
        assert restarts() == 0
        await trio.sleep(60)
        assert restarts() == 1
        monkeypatch.undo()
