"""The scripted provider keeps what every provider promises, whichever kind of provider it plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest
from actors.providers.base import CancelAck, Handle, Idempotency, Listing, Push, Submitted
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.testing.conformance import Harness, MakeHarness, NamedCheck, provider_conformance
from actors.testing.provider_promises import PROMISES

OPTIONS = {
    "client-id": ScriptedOptions(),
    "token-search": ScriptedOptions(idempotency=Idempotency.TOKEN_SEARCH, listing=Listing.PAGED, page_size=2),
    "cannot-tell": ScriptedOptions(idempotency=Idempotency.NONE, listing=Listing.NONE, push=Push.NONE),
}


def virtual_now() -> datetime:
    return datetime(2024, 1, 15, tzinfo=UTC) + timedelta(seconds=trio.current_time())


def request(**spec: Any) -> JobRequest:
    return JobRequest(provider="scripted", spec=spec)


def harness_of(options: ScriptedOptions, provider: type[ScriptedProvider] = ScriptedProvider) -> MakeHarness:
    @asynccontextmanager
    async def make() -> AsyncIterator[Harness]:
        remote = ScriptedRemote(virtual_now)
        yield Harness(
            provider(options, remote),
            quick_request=lambda: request(duration=2, progress=2),
            long_request=lambda: request(duration=100_000, queue_time=1),
            failing_request=lambda: request(duration=1, result="failed", error="out of memory"),
            wait_change=partial(trio.sleep, 0.5),
            wrong_request=lambda: request(duratoin=1),
            wrong_field="spec.duratoin",
            reopen=lambda: provider(options, remote),
            unknown_handle={"run": "run-0"},
        )

    return make


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check}")
        for name, options in OPTIONS.items()
        for check in provider_conformance(harness_of(options))
    ],
)
async def test_the_scripted_provider_conforms(check: NamedCheck, autojump_clock: MockClock) -> None:
    """Each promise of the suite, for each kind of provider that it can play."""
    await check()


class TwoForOne(ScriptedProvider):
    """A provider that starts a second job under a known key."""

    async def submit(self, key: str, *rest: Any) -> Submitted:
        return attrs.evolve(await super().submit(f"{key}{len(self.remote.runs)}", *rest), existed=False)


class Deaf(ScriptedProvider):
    """A provider that says yes to a cancel and does nothing."""

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        await trio.lowlevel.checkpoint()
        return CancelAck.ACCEPTED


@pytest.mark.parametrize(
    ("provider", "broken"),
    [
        (TwoForOne, {"the_same_key_is_one_job", "a_lost_answer_is_settled_by_find"}),
        (Deaf, {"cancel_ends_a_job_and_may_be_repeated", "cancel_changes_no_end", "an_unknown_handle_is_no_error"}),
    ],
)
async def test_the_suite_finds_a_provider_that_breaks_a_promise(
    provider: type[ScriptedProvider], broken: set[str], autojump_clock: MockClock
) -> None:
    """Each check of a promise that is broken fails."""
    checks = [check for check in provider_conformance(harness_of(ScriptedOptions(), provider)) if str(check) in broken]
    assert len(checks) == len(broken)
    for check in checks:
        with pytest.raises((AssertionError, trio.TooSlowError)):
            await check()


def test_every_promise_is_stated() -> None:
    """A promise has its words, and is in the suite once."""
    names = [promise.__name__ for promise in PROMISES]
    assert all(promise.__doc__ for promise in PROMISES)
    assert len(names) == len(set(names))
