"""The Replicate provider keeps what every provider promises: predictions and trainings, found again and not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest
from actors.kernel import VirtualClock
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.conformance import Harness, MakeHarness, NamedCheck, provider_conformance
from actors.testing.fake_replicate import TOKEN, FakeReplicate, FakeTransport

VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
KINDS: dict[str, tuple[dict[str, Any], str | None]] = {
    "prediction": ({"model": "ana/model"}, "token"),
    "training": ({"model": f"ana/trainer:{VERSION}", "destination": "greenroom/mine"}, "token"),
    "without token_input": ({"deployment": "ana/fast"}, None),
}


def harness_of(spec: dict[str, Any], token_input: str | None) -> MakeHarness:
    def request(**script: Any) -> JobRequest:
        return JobRequest(provider="replicate", spec={**spec, "input": {"fake": script}})

    @asynccontextmanager
    async def make() -> AsyncIterator[Harness]:
        clock = VirtualClock()
        fake = FakeReplicate(clock.now)
        options = ReplicateOptions(token_input=token_input, settle_seconds=0)

        def provider() -> ReplicateProvider:
            return ReplicateProvider(options, now=clock.now, transport=FakeTransport(fake, latency=0.02))

        yield Harness(
            provider(),
            quick_request=lambda: request(queue_seconds=1, seconds=2, logs="one\ntwo\n"),
            long_request=lambda: request(queue_seconds=1, seconds=100_000),
            failing_request=lambda: request(seconds=1, outcome="failed", error="out of memory"),
            wait_change=partial(trio.sleep, 0.5),
            wrong_request=lambda: JobRequest(provider="replicate", spec={"modle": "ana/model"}),
            wrong_field="spec.modle",
            reopen=provider,
            unknown_handle={"kind": "prediction", "id": "neverwas"},
        )

    return make


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=f"{name}-{check}")
        for name, (spec, token_input) in KINDS.items()
        for check in provider_conformance(harness_of(spec, token_input))
    ],
)
async def test_replicate_conforms(
    check: NamedCheck, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each promise of the suite, against the fake."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    await check()
