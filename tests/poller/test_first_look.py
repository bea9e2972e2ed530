"""Jobs of a provider that is not polled because it delivers: asked about once at each start (B6)."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from actors.jobs.options import Limits, PollerOptions
from actors.jobs.records import JobStatus
from actors.poller.first_look import FirstLook
from actors.providers.base import Push
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.providers.scripted.faults import Fault, FaultKind
from actors.runtime import Parts, open_runtime
from actors.settings import ProviderSettings
from actors.store import InlineExecutor
from actors.testing import request, seeded_sources, virtual_settings

DELIVERS = ScriptedOptions(push=Push.WEBHOOK)
HOOK = "https://hooks.example.org/api/webhooks/scripted"
MODES = {"automatic": PollerOptions(), "switched off": PollerOptions(enabled=False)}


@asynccontextmanager
async def opened(world, path, poller, webhook_url=HOOK):
    settings = virtual_settings(limits=Limits(total=100, per_user=100), poller=poller)
    providers = {"scripted": ProviderSettings("scripted", "scripted", DELIVERS, webhook_url)}
    settings = attrs.evolve(settings, state_dir=path, providers=providers)
    parts = Parts(
        clock=world.clock, executor=InlineExecutor(), sources=seeded_sources(1),
        providers=[ScriptedProvider(DELIVERS, world.remote)],
    )  # fmt: skip
    async with open_runtime(settings, parts) as runtime:
        yield runtime


def asked(world):
    return [set(call.keys) for call in world.remote.calls_of("observe")]


async def handed_over(world, path, *durations):
    """Jobs that a supervisor handed over and then left."""
    async with opened(world, path, PollerOptions()) as runtime:
        jobs = [await runtime.submit(request(duration=duration)) for duration in durations]
        await trio.sleep(2)
        assert {(await runtime.jobs.get(job.job_id)).job.status for job in jobs} == {JobStatus.RUNNING}
    return jobs


@pytest.mark.parametrize("poller", MODES.values(), ids=MODES)
async def test_each_start_asks_once_about_every_job(autojump_clock, world, tmp_path, poller):
    """What was delivered while nobody was there is lost: a job that ended then ends here, too."""
    ended, going_on = await handed_over(world, tmp_path, 10, 100_000)
    assert asked(world) == []
    await trio.sleep(60)
    for start in (1, 2):
        async with opened(world, tmp_path, poller) as runtime:
            with trio.fail_after(5):
                assert (await runtime.wait(ended.job_id)).status is JobStatus.COMPLETED
            await trio.sleep(3600)
            assert (await runtime.jobs.get(going_on.job_id)).job.status is JobStatus.RUNNING
        assert len(asked(world)) == start
    assert [len(keys) for keys in asked(world)] == [2, 1]


async def test_without_a_webhook_nothing_is_asked_where_polling_is_switched_off(autojump_clock, world, tmp_path):
    await handed_over(world, tmp_path, 100_000)
    async with opened(world, tmp_path, MODES["switched off"], webhook_url=None):
        await trio.sleep(3600)
    assert asked(world) == []


@pytest.mark.parametrize("poller", MODES.values(), ids=MODES)
async def test_a_look_that_the_provider_did_not_answer_is_made_again(autojump_clock, world, tmp_path, poller):
    """An outage at the start, longer than its breaker is open: the job is asked about when the provider is back."""
    (ended,) = await handed_over(world, tmp_path, 10)
    world.remote.inject(Fault(FaultKind.DOWN, ("observe",), times=12))
    async with opened(world, tmp_path, poller) as runtime:
        with trio.fail_after(12 * 900):
            assert (await runtime.wait(ended.job_id)).status is JobStatus.COMPLETED
        await trio.sleep(3600)
    assert len(asked(world)) == 13


async def test_one_job_that_cannot_be_read_is_asked_about_again_alone_and_ever_less(autojump_clock, world, tmp_path):
    """The others of the same look are done with."""
    async with opened(world, tmp_path, PollerOptions()) as runtime:
        odd = {"observe": [{"kind": "garbage", "times": None}]}
        await runtime.submit(request(duration=100_000, faults=odd))
        await runtime.submit(request(duration=100_000))
        await trio.sleep(2)
    async with opened(world, tmp_path, PollerOptions()):
        await trio.sleep(3600)
    sizes = [len(keys) for keys in asked(world)]
    assert sizes[0] == 2
    assert set(sizes[1:]) == {1}
    assert 5 <= len(sizes) <= 10  # after 30, 60, 120, ... seconds


async def test_a_job_that_ends_by_its_delivery_is_asked_about_no_more(autojump_clock, world, tmp_path):
    (job,) = await handed_over(world, tmp_path, 100_000)
    world.remote.inject(Fault(FaultKind.DOWN, ("observe",), times=1))
    async with opened(world, tmp_path, PollerOptions()) as runtime:
        await trio.sleep(1)
        await runtime.cancel(job.job_id)
        await runtime.wait(job.job_id)
        before = len(asked(world))
        await trio.sleep(7200)
        assert len(asked(world)) == before


# By itself.


async def test_each_job_is_requested_until_it_was_read_and_the_gap_grows_to_a_quarter_of_an_hour(autojump_clock):
    look = FirstLook(300.0)
    look.begin(["a", "b"])
    gaps = []
    assert look.due() == {"a", "b"}
    look.note({"a", "b"}, {"a"})
    for _ in range(4):
        gaps.append(look.next_due - trio.current_time())
        await trio.sleep(gaps[-1] - 1)
        assert look.due() == frozenset()
        await trio.sleep(1)
        assert look.due() == {"b"}
        look.note({"a", "b"}, set())
    assert gaps == [300, 600, 900, 900]


async def test_what_has_ended_or_was_read_meanwhile_is_not_requested_again(autojump_clock):
    look = FirstLook(30.0)
    look.begin(["ended", "read", "left"])
    assert look.due() == {"ended", "read", "left"}
    look.note({"read", "left"}, set())
    look.note(set(), {"read"})  # another round, which was not asked to look at these
    assert look.next_due == trio.current_time() + 30
    await trio.sleep(30)
    assert look.due() == {"left"}
    look.note({"left"}, {"left"})
    assert look.next_due == math.inf
    await trio.sleep(10_000)
    assert look.due() == frozenset()


async def test_where_nothing_runs_at_the_start_nothing_is_requested(autojump_clock):
    look = FirstLook(30.0)
    assert (look.next_due, look.due()) == (math.inf, frozenset())
    look.begin([])
    assert (look.next_due, look.due()) == (math.inf, frozenset())
