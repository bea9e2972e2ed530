"""A pause and its end are kept and told, with who asked for them and why (B10)."""

from __future__ import annotations

import pytest

from actors.jobs.refusal import RefusalKind, Refused


async def told(world):
    return [(event.type, event.job_id, event.data) for event in await world.events()]


async def test_who_paused_the_queue_or_a_provider_and_why_is_told_and_who_resumed_it(autojump_clock, world):
    async with world.open() as runtime:
        await runtime.queue.pause(None, "maintenance", by="bo")
        await runtime.queue.pause("scripted", "its disk is full", by="cy")
        await runtime.queue.resume("scripted", by="cy")
        await runtime.queue.resume(None, by="bo")
        assert await told(world) == [
            ("queue_paused", None, {"reason": "maintenance", "by": "bo"}),
            ("provider_paused", None, {"provider": "scripted", "reason": "its disk is full", "by": "cy"}),
            ("provider_resumed", None, {"provider": "scripted", "by": "cy"}),
            ("queue_resumed", None, {"by": "bo"}),
        ]


async def test_who_changed_a_limit_and_who_reset_it_is_told_and_a_reset_of_none_is_not(autojump_clock, world):
    async with world.open() as runtime:
        await runtime.queue.reset_limits(by="bo")
        await runtime.queue.set_limit("total", 7, by="bo")
        await runtime.queue.reset_limits(by="cy")
        assert await told(world) == [
            ("limits_changed", None, {"limit": "total", "value": 7, "by": "bo"}),
            ("limits_changed", None, {"reset": ["total"], "by": "cy"}),
        ]


async def test_a_limit_may_be_nought_and_not_less_and_a_switch_is_on_or_off(autojump_clock, world):
    async with world.open() as runtime:
        assert (await runtime.queue.set_limit("total", 0, by="bo")).total == 0
        assert (await runtime.queue.set_limit("fair_share", 1, by="bo")).fair_share is True
        for name, value, message in (
            ("total", -1, "total must be 0 or more, not -1"),
            ("fair_share", 2, "fair_share must be 0 or 1"),
            ("fair_share", -1, "fair_share must be 0 or 1"),
            ("totl", 1, "there is no limit 'totl'; did you mean total"),
            ("per_provider.scriptd", 1, "there is no provider 'scriptd'; did you mean scripted"),
        ):
            with pytest.raises(Refused) as refused:
                await runtime.queue.set_limit(name, value, by="bo")
            assert message in str(refused.value)
            assert refused.value.kind is RefusalKind.INVALID
        with pytest.raises(Refused, match="there is no limit 'totl'"):
            await runtime.queue.reset_limits(["total", "totl"], by="bo")
        assert (await runtime.queue.limits())[0].total == 0
