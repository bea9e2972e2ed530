"""Faults strike the calls that they were made for, as often and when they were told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest, Phase, Resources
from actors.providers import errors
from actors.providers.base import ABSENT, CancelAck, Submitted
from actors.providers.scripted import (
    Fault,
    FaultKind,
    Refusal,
    ScriptedOptions,
    ScriptedProvider,
    ScriptedRemote,
)

REFUSALS: Mapping[Refusal, type[errors.ProviderError]] = {
    Refusal.INVALID: errors.Invalid,
    Refusal.AUTH: errors.Auth,
    Refusal.FORBIDDEN: errors.Forbidden,
    Refusal.NOT_FOUND: errors.NotFound,
    Refusal.CONFLICT: errors.Conflict,
    Refusal.RATE_LIMITED: errors.RateLimited,
    Refusal.OTHER: errors.ProviderError,
}


async def submit(provider: ScriptedProvider, key: str = "j1", **spec: Any) -> Submitted:
    request = JobRequest(provider="scripted", spec=spec, user_id="ana", resources=Resources(gpus=1))
    context = {"job_id": key.split("-")[0], "correlation_id": "c1"}
    return await provider.submit(key, f"token-{key}", provider.prepare(request), context)


async def phase(provider: ScriptedProvider, key: str, submitted: Submitted) -> Phase:
    return (await provider.observe_many({key: submitted.handle})).observations[key].phase


@pytest.mark.parametrize("refusal", Refusal)
async def test_a_refusal_of_each_kind(refusal: Refusal, remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """The error is of that very kind, nothing was accepted, and the next call is well."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(Fault(FaultKind.REFUSED, calls=("submit",), refusal=refusal, retry_after=7))
    with pytest.raises(errors.ProviderError) as raised:
        await submit(provider)
    assert type(raised.value) is REFUSALS[refusal]
    assert getattr(raised.value, "retry_after", 7) == 7
    assert remote.runs == []
    await submit(provider)
    assert len(remote.runs) == 1


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.LOST_ANSWER, errors.OutcomeUnknown),
        (FaultKind.GARBAGE, errors.Protocol),
        (FaultKind.CRASH, RuntimeError),
        (FaultKind.HANG, trio.TooSlowError),
    ],
)
async def test_an_answer_that_never_came(
    kind: FaultKind, error: type[Exception], accepted: bool, remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """The job was taken or not, as the fault says, and only a look-up tells."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(Fault(kind, calls=("submit",), accepted=accepted))
    with pytest.raises(error), trio.fail_after(60):
        await submit(provider)
    found = await provider.find("j1", "token-j1")
    assert isinstance(found, Submitted) if accepted else found is ABSENT
    assert len(remote.runs) == accepted


async def test_a_slow_answer_comes_and_acts_late(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """The wait comes first: a caller who gives up before the end has started nothing."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(Fault(FaultKind.SLOW, times=2, seconds=5))
    with trio.move_on_after(4):
        await submit(provider)
    assert remote.runs == []
    before = trio.current_time()
    await submit(provider)
    assert trio.current_time() - before == 5


async def test_down_between_two_times(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """A window strikes every call in it, and none outside."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(Fault(FaultKind.DOWN, times=None, since=10, until=20, retry_after=3))
    outcomes = []
    for _ in range(4):
        try:
            await provider.check()
        except errors.Unavailable as error:
            outcomes.append(error.retry_after)
        else:
            outcomes.append(None)
        await trio.sleep(6)
    assert outcomes == [None, None, 3, 3]


async def test_a_fault_strikes_the_given_occurrences_until_healed(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """Skipped calls pass, then ``times`` calls are struck, or all until the remote is healed."""
    provider = ScriptedProvider(remote=remote)
    remote.inject(Fault(FaultKind.DOWN, calls=("check",), skip=1, times=2))

    async def is_up() -> bool:
        try:
            await provider.check()
        except errors.Unavailable:
            return False
        return True

    assert [await is_up() for _ in range(5)] == [True, False, False, True, True]
    remote.inject(Fault(FaultKind.DOWN, times=None))
    assert [await is_up() for _ in range(3)] == [False, False, False]
    remote.heal()
    assert await is_up()


async def test_a_job_carries_its_own_faults_over_its_attempts(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """Faults in a script are counted over all keys of the job, and strike no other job."""
    provider = ScriptedProvider(remote=remote)
    faults = {"submit": ["down", {"kind": "refused", "refusal": "conflict"}]}
    with pytest.raises(errors.Unavailable):
        await submit(provider, "j1-1", faults=faults)
    await submit(provider, "j2-1")
    with pytest.raises(errors.Conflict):
        await submit(provider, "j1-1", faults=faults)
    await submit(provider, "j1-2", faults=faults)
    assert [run.key for run in remote.runs] == ["j2-1", "j1-2"]


async def test_observation_faults_of_one_job_leave_the_others_alone(
    remote: ScriptedRemote, autojump_clock: MockClock
) -> None:
    """Unknown status, refusal and absence from the view are told per job, in one request."""
    provider = ScriptedProvider(remote=remote)
    spoiled = {"j1": ["unknown_status"], "j2": ["down"], "j3": ["unseen"], "j4": []}
    handles = {
        key: (await submit(provider, key, duration=9, faults={"observe": faults})).handle
        for key, faults in spoiled.items()
    }
    view = await provider.observe_many(handles)
    assert {key: seen.phase for key, seen in view.observations.items()} == {"j1": Phase.UNKNOWN, "j4": Phase.RUNNING}
    assert (dict(view.failed), view.complete) == ({"j2": "the scripted provider is down"}, False)
    again = await provider.observe_many(handles)
    assert again.complete
    assert len(again.observations) == 4
    assert len(remote.calls_of("observe")) == 2


async def test_a_job_that_never_ends_and_does_not_obey(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """The first cancel is accepted in vain, the second one ends it."""
    provider = ScriptedProvider(remote=remote)
    faults = {"submit": ["never_ends"], "cancel": ["never_ends"]}
    submitted = await submit(provider, duration=1, cancel_time=1, faults=faults)
    for expected in (Phase.RUNNING, Phase.CANCELED):
        assert await provider.cancel("j1", submitted.handle) is CancelAck.ACCEPTED
        await trio.sleep(1_000)
        assert await phase(provider, "j1", submitted) is expected


async def test_options_faults_strike_too(remote: ScriptedRemote, autojump_clock: MockClock) -> None:
    """What the configuration says goes wrong, does."""
    provider = ScriptedProvider(ScriptedOptions(faults=(Fault(FaultKind.DOWN, calls=("submit",)),)), remote)
    with pytest.raises(errors.Unavailable):
        await submit(provider)
    assert remote.calls[0].fault is FaultKind.DOWN
