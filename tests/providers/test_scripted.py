"""The scripted provider: its remote remembers, and its kinds of provider differ as they should."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Capacity, JobRequest, Phase, Resources
from actors.providers import errors
from actors.providers.base import ABSENT, UNKNOWABLE, CancelAck, Idempotency, Listing, Submitted
from actors.providers.scripted import (
    ScriptedOptions,
    ScriptedProvider,
    ScriptedRemote,
)
from actors.providers.scripted.faults import Fault, FaultKind
from actors.providers.scripted.remote import ENDS_KEPT
from tests.runs_at_once import most_at_once


async def submit(provider: ScriptedProvider, key: str = "j1", **spec: Any) -> Submitted:
    request = JobRequest(provider="scripted", spec=spec, user_id="ana", resources=Resources(gpus=1))
    context = {"job_id": key.split("-")[0], "correlation_id": "c1"}
    return await provider.submit(key, f"token-{key}", provider.prepare(request), context)


async def phase(provider: ScriptedProvider, key: str, submitted: Submitted) -> Phase:
    return (await provider.observe_many({key: submitted.handle})).observations[key].phase


async def test_a_job_runs_by_the_clock(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """Queued, running, succeeded, at the seconds of its script."""
    provider = ScriptedProvider(remote=remote)
    submitted = await submit(provider, queue_time=2, duration=3, metrics={"loss": 0.1})
    seen = []
    for _ in range(3):
        seen.append(await phase(provider, "j1", submitted))
        await trio.sleep(2.5)
    assert seen == [Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED]


async def test_the_remote_records_what_it_was_asked(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """Every call with its time and keys; every run with its user, resources and context."""
    provider = ScriptedProvider(remote=remote)
    submitted = await submit(provider)
    await trio.sleep(3)
    await provider.observe_many({"j1": submitted.handle})
    assert [(call.name, call.keys) for call in remote.calls] == [("submit", ("j1",)), ("observe", ("j1",))]
    assert (remote.calls[1].at - remote.calls[0].at).total_seconds() == 3
    (run,) = remote.runs_of("j1")
    assert (run.asked.user_id, run.asked.resources.gpus, run.context["correlation_id"]) == ("ana", 1, "c1")
    assert remote.calls_of("observe", "j2") == []


async def test_most_at_once_is_counted_from_acceptance_to_end(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """A run that ends makes room for one that begins in the same moment; groups and weights are the caller's."""
    provider = ScriptedProvider(remote=remote)
    for key in ("j1", "j2"):
        await submit(provider, key, duration=10)
    await trio.sleep(10)
    await submit(provider, "j3", duration=10)
    assert most_at_once(remote) == {None: 2}
    assert most_at_once(remote, by=lambda run: run.asked.user_id) == {"ana": 2}
    assert most_at_once(remote, weigh=lambda run: 3 * run.asked.resources.gpus) == {None: 6}


async def test_the_options_defaults_hold_where_the_script_is_silent(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """The job's own word comes first."""
    provider = ScriptedProvider(ScriptedOptions(duration=100, cpus=4), remote)
    assert (await submit(provider, "j1")).observation is not None
    await submit(provider, "j2", duration=1)
    assert [run.asked.script.duration for run in remote.runs] == [100, 1]
    assert provider.capacity() == Capacity(cpus=4)


async def test_max_runtime_is_kept_by_the_provider(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """A deadline of the request ends the job as TIMED_OUT."""
    provider = ScriptedProvider(remote=remote)
    prepared = provider.prepare(JobRequest(spec={"duration": 100}, max_runtime=5))
    submitted = await provider.submit("j1", "t", prepared, {})
    await trio.sleep(5)
    assert await phase(provider, "j1", submitted) is Phase.TIMED_OUT


@pytest.mark.parametrize(("listing", "requests"), [(Listing.ALL, 1), (Listing.PAGED, 3), (Listing.NONE, 5)])
async def test_a_look_costs_requests_as_the_listing_has_it(
    listing: Listing, requests: int, remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """Five jobs: one request in all, one a page of two, or one a job."""
    provider = ScriptedProvider(ScriptedOptions(listing=listing, page_size=2), remote)
    handles = {key: (await submit(provider, key)).handle for key in ("a", "b", "c", "d", "e")}
    view = await provider.observe_many(handles)
    assert view.observations.keys() == handles.keys()
    assert len(remote.calls_of("observe")) == requests


async def test_a_provider_that_cannot_tell_doubles_a_job(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """Without idempotency a second submission is a second run, and nobody can find either: B13's hard case."""
    provider = ScriptedProvider(ScriptedOptions(idempotency=Idempotency.NONE), remote)
    first, second = await submit(provider), await submit(provider)
    assert first.handle != second.handle
    assert len(remote.runs_of("j1")) == 2
    assert await provider.find("j1", "token-j1") is UNKNOWABLE


async def test_a_token_search_goes_by_the_token(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """A key with another token is not that job."""
    provider = ScriptedProvider(ScriptedOptions(idempotency=Idempotency.TOKEN_SEARCH), remote)
    await submit(provider)
    assert isinstance(await provider.find("j1", "token-j1"), Submitted)
    assert await provider.find("j1", "another") is ABSENT


async def test_a_cancel_stops_then_ends(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """STOPPING for ``cancel_time``, then CANCELED; a repeated cancel does not begin anew."""
    provider = ScriptedProvider(remote=remote)
    submitted = await submit(provider, duration=100, cancel_time=4)
    seen = []
    for _ in range(3):
        assert await provider.cancel("j1", submitted.handle) in (CancelAck.ACCEPTED, CancelAck.ALREADY_TERMINAL)
        seen.append(await phase(provider, "j1", submitted))
        await trio.sleep(2)
    assert seen == [Phase.STOPPING, Phase.STOPPING, Phase.CANCELED]


async def test_a_live_job_is_not_forgotten(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """Conflict, and it is still there."""
    provider = ScriptedProvider(remote=remote)
    submitted = await submit(provider, duration=9)
    with pytest.raises(errors.Conflict):
        await provider.forget("j1", submitted.handle)
    assert await phase(provider, "j1", submitted) is Phase.RUNNING


async def test_jobs_survive_on_a_shared_remote_only(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """On a remote that outlives us the job is found; a provider's own remote is gone, and says that the job is dead."""
    submitted = await submit(ScriptedProvider(remote=remote), duration=9)
    later = ScriptedProvider(remote=remote)
    assert later.capabilities.survives_our_restart
    assert await phase(later, "j1", submitted) is Phase.RUNNING

    alone = ScriptedProvider()
    assert not alone.capabilities.survives_our_restart
    lost = (await alone.observe_many({"j1": submitted.handle})).observations["j1"]
    assert (lost.phase, lost.proven_dead) == (Phase.LOST, True)
    assert await alone.find("j1", "token-j1") is ABSENT


def test_options_are_checked() -> None:
    """What makes no sense is refused with the name of the field."""
    for wrong in ({"duration": -1}, {"cpus": -1}, {"page_size": 0}):
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            attrs.evolve(ScriptedOptions(), **wrong)


async def test_a_remote_of_this_process_forgets_old_runs_whose_end_was_reported_and_no_others() -> None:
    provider = ScriptedProvider()
    running = await submit(provider, "long-1", duration=1000)
    provider.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",)))
    with pytest.raises(errors.OutcomeUnknown):
        await submit(provider, "lost-1", duration=0)
    for number in range(5 * ENDS_KEPT):
        newest = await submit(provider, f"job{number}-1", duration=0)
    assert len(provider.remote.runs) <= 2 * ENDS_KEPT + 2
    assert len(provider.remote.calls) <= 2 * ENDS_KEPT
    assert len(provider.remote.touched) <= 2 * ENDS_KEPT + 2
    assert await provider.find("job0-1", "token-job0-1") is ABSENT
    assert isinstance(await provider.find("lost-1", "token-lost-1"), Submitted)  # its end was in no answer until now
    assert await phase(provider, "long-1", running) is Phase.RUNNING
    assert await phase(provider, f"job{number}-1", newest) is Phase.SUCCEEDED


async def test_a_run_of_an_earlier_process_is_not_taken_for_the_one_that_has_its_number_now() -> None:
    submitted = await submit(ScriptedProvider(), "before-1", duration=0)
    later = ScriptedProvider()
    assert (await submit(later, "after-1", duration=0)).handle == submitted.handle
    (seen,) = (await later.observe_many({"before-1": submitted.handle})).observations.values()
    assert (seen.phase, seen.proven_dead) == (Phase.LOST, True)


async def test_a_remote_that_outlives_us_keeps_every_run() -> None:
    remote = ScriptedRemote()
    provider = ScriptedProvider(remote=remote)
    for number in range(2 * ENDS_KEPT + 1):
        await submit(provider, f"job{number}-1", duration=0)
    assert len(remote.runs) == len(remote.touched) == len(remote.calls) == 2 * ENDS_KEPT + 1
