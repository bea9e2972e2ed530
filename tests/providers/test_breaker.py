"""The circuit breaker: when nobody asks, who may try it out, and what counts against a provider."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
import trio

from actors.jobs.retry import FailureKind
from actors.providers import errors
from actors.providers.base import Capabilities, Provider, Push
from actors.providers.breaker import PROBE_AGAIN, Breaker, BreakerOpen, BreakerOptions, BreakerState
from actors.providers.guard import CallDeadlines, Failure, GuardedProvider

CLOSED, OPEN, HALF_OPEN = BreakerState


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        permit = breaker.admit()
        breaker.failed(permit, "down")
        breaker.leave(permit)


def succeed(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        permit = breaker.admit()
        breaker.succeeded(permit)
        breaker.leave(permit)


async def tried_out() -> Breaker:
    """A breaker whose time is over."""
    breaker = Breaker("cloud")
    fail(breaker, 5)
    await trio.sleep(60)
    return breaker


async def test_five_failures_in_a_row_open_it_for_a_minute(autojump_clock):
    breaker = Breaker("cloud")
    fail(breaker, 4)
    succeed(breaker)
    fail(breaker, 4)
    assert breaker.state is CLOSED
    fail(breaker)
    assert (breaker.state, breaker.retry_after, breaker.opened) == (OPEN, 60.0, 1)
    await trio.sleep(59)
    with pytest.raises(BreakerOpen, match="not called for 1 s: down") as refused:
        breaker.admit()
    assert refused.value.retry_after == 1.0
    await trio.sleep(1)
    assert (breaker.state, breaker.retry_after) == (HALF_OPEN, 0.0)
    breaker.admit()


async def test_two_successes_close_it(autojump_clock):
    breaker = await tried_out()
    succeed(breaker)
    assert breaker.state is HALF_OPEN
    succeed(breaker)
    assert breaker.state is CLOSED
    fail(breaker, 4)
    assert breaker.state is CLOSED  # what was counted before does not count on


async def test_three_calls_at_once_may_try_it_out_and_no_more(autojump_clock):
    breaker = await tried_out()
    permits = [breaker.admit() for _ in range(3)]
    for _ in range(50):
        with pytest.raises(BreakerOpen) as refused:
            breaker.admit()
        assert refused.value.retry_after == PROBE_AGAIN
    breaker.leave(permits[0])
    breaker.admit()


async def test_one_failed_trial_opens_it_again_for_as_long(autojump_clock):
    breaker = await tried_out()
    fail(breaker)
    assert (breaker.state, breaker.retry_after, breaker.opened) == (OPEN, 60.0, 2)


async def test_failing_trials_do_not_leave_it_open_for_ever(autojump_clock):
    """All three trials of a round fail, again and again; then the provider is well."""
    breaker = await tried_out()
    for _ in range(20):
        permits = [breaker.admit() for _ in range(3)]
        for permit in permits:
            breaker.failed(permit, "down")
            breaker.leave(permit)
        assert breaker.retry_after == 60.0
        await trio.sleep(60)
    succeed(breaker, 2)
    assert breaker.state is CLOSED


async def test_a_trial_that_was_cancelled_is_nobodys_failure_and_frees_its_place(autojump_clock):
    breaker = await tried_out()
    for _ in range(50):
        breaker.leave(breaker.admit())
    assert (breaker.state, breaker.opened) == (HALF_OPEN, 1)
    succeed(breaker, 2)
    assert breaker.state is CLOSED


async def test_a_late_word_of_an_earlier_phase_changes_nothing(autojump_clock):
    breaker = Breaker("cloud")
    early = [breaker.admit() for _ in range(3)]
    fail(breaker, 5)
    breaker.succeeded(early[0])
    breaker.leave(early[0])
    assert breaker.state is OPEN
    await trio.sleep(60)
    trial = breaker.admit()
    breaker.failed(early[1], "old")
    breaker.leave(early[1])
    breaker.succeeded(early[2])
    breaker.leave(early[2])
    assert breaker.state is HALF_OPEN
    breaker.succeeded(trial)
    breaker.leave(trial)
    assert breaker.state is HALF_OPEN
    succeed(breaker)
    assert breaker.state is CLOSED


async def test_every_number_is_an_option(autojump_clock):
    breaker = Breaker("cloud", BreakerOptions(failures=2, successes=1, open_seconds=30, half_open_calls=1))
    fail(breaker, 2)
    assert breaker.retry_after == 30.0
    await trio.sleep(30)
    permit = breaker.admit()
    with pytest.raises(BreakerOpen):
        breaker.admit()
    breaker.succeeded(permit)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("name", ["failures", "successes", "open_seconds", "half_open_calls"])
def test_no_number_may_be_zero(name):
    with pytest.raises(ValueError, match=name):
        BreakerOptions(**{name: 0})


async def test_an_outage_is_one_warning_and_its_end_one_line(autojump_clock, caplog):
    caplog.set_level(logging.INFO, "actors.providers.breaker")
    breaker = await tried_out()
    for _ in range(3):
        fail(breaker)
        await trio.sleep(60)
    succeed(breaker, 2)
    told = [(record.levelname, record.provider, record.state) for record in caplog.records]
    assert told == [("WARNING", "cloud", "open")] + 3 * [("INFO", "cloud", "open")] + [("INFO", "cloud", "closed")]
    assert "failed 5 times in a row and is not called for 60 s: down" in caplog.records[0].message


# In the guard.


class Stub:
    """A provider whose ``check`` does what it is told."""

    name = "cloud"

    def __init__(self, push: Push = Push.NONE) -> None:
        self.capabilities = Capabilities(push=push)
        self.calls = 0
        self.behave: Callable[[], Any] = dict

    async def check(self) -> Any:
        self.calls += 1
        await trio.lowlevel.checkpoint()
        answer = self.behave()
        return await answer if hasattr(answer, "__await__") else answer

    async def aclose(self) -> None:
        self.calls += 1
        await trio.lowlevel.checkpoint()


def guarded(stub: Stub) -> GuardedProvider:
    return GuardedProvider(cast("Provider", stub), CallDeadlines(check=10))


def raising(error: Exception) -> Callable[[], Any]:
    def behave() -> Any:
        raise error

    return behave


@pytest.mark.parametrize(
    ("error", "remote", "local"),
    [
        (errors.Unavailable(), OPEN, OPEN),
        (errors.OutcomeUnknown(), OPEN, CLOSED),
        (errors.Protocol(), OPEN, CLOSED),
        (errors.Invalid(), CLOSED, CLOSED),
        (errors.Auth(), CLOSED, CLOSED),
        (errors.Forbidden(), CLOSED, CLOSED),
        (errors.NotFound(), CLOSED, CLOSED),
        (errors.Conflict(), CLOSED, CLOSED),
        (errors.RateLimited(), CLOSED, CLOSED),
        (OSError("disk full"), CLOSED, CLOSED),
        (ExceptionGroup("both", [errors.Invalid(), errors.Unavailable()]), OPEN, OPEN),
    ],
)
async def test_what_counts_against_a_provider(autojump_clock, error, remote, local):
    for push, state in ((Push.NONE, remote), (Push.LOCAL_EVENT, local)):
        stub = Stub(push)
        provider = guarded(stub)
        stub.behave = raising(error)
        for _ in range(5):
            await provider.check()
        assert provider.breaker.state is state


async def test_a_call_that_takes_too_long_counts(autojump_clock):
    stub = Stub()
    provider = guarded(stub)
    stub.behave = trio.sleep_forever
    for _ in range(5):
        await provider.check()
    assert provider.breaker.state is OPEN


async def test_an_open_breaker_answers_without_a_call(autojump_clock):
    stub = Stub()
    provider = guarded(stub)
    stub.behave = raising(errors.Unavailable("no route"))
    for _ in range(5):
        await provider.check()
    await trio.sleep(10)
    answer = await provider.check()
    assert stub.calls == 5
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.retry_after) == (FailureKind.UNAVAILABLE, 50.0)
    assert "no route" in answer.message
    await provider.aclose()  # which asks nobody anything
    assert stub.calls == 6


async def test_a_provider_that_refuses_a_trial_is_well(autojump_clock):
    stub = Stub()
    provider = guarded(stub)
    stub.behave = raising(errors.Unavailable())
    for _ in range(5):
        await provider.check()
    await trio.sleep(60)
    stub.behave = raising(errors.NotFound())
    for _ in range(2):
        await provider.check()
    assert provider.breaker.state is CLOSED


async def test_cancelled_calls_neither_open_it_nor_keep_a_place(autojump_clock):
    stub = Stub()
    provider = guarded(stub)
    stub.behave = trio.sleep_forever
    for _ in range(20):
        with trio.move_on_after(1):
            await provider.check()
    assert provider.breaker.state is CLOSED
    for _ in range(5):
        await provider.check()
    await trio.sleep(60)
    for _ in range(20):
        with trio.move_on_after(1):
            await provider.check()
    stub.behave = dict
    for _ in range(2):
        assert await provider.check() == {}
    assert provider.breaker.state is CLOSED


async def test_fifty_calls_at_once_are_three_trials(autojump_clock):
    stub = Stub()
    provider = guarded(stub)
    stub.behave = raising(errors.Unavailable())
    for _ in range(5):
        await provider.check()
    await trio.sleep(60)
    stub.behave = partial(trio.sleep, 5)
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(provider.check)
    assert stub.calls == 5 + 3
