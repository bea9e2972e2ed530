"""Deliveries through the guard: nothing that a provider makes of them hurts whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import attrs
import pytest
import trio

from actors.jobs.records import Observation, Phase
from actors.jobs.retry import FailureKind
from actors.providers import errors
from actors.providers.base import Capabilities, Provider
from actors.providers.deliveries import DeliveryEvent, DeliveryReport, NoDeliveries, Rejected
from actors.providers.guard import CallDeadlines, Failure, GuardedProvider

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = Observation(Phase.RUNNING, "processing")


class Stub:
    """A provider that answers each of these calls in the same way."""

    name = "stub"
    capabilities = Capabilities()

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    async def delivery_secrets(self, *, fresh: bool = False) -> Any:
        await trio.lowlevel.checkpoint()
        return self._answer()

    def read_delivery(self, headers: Any, secrets: Any, now: datetime) -> Any:
        return Reading(self._answer)


@attrs.frozen
class Reading:
    """A delivery about which nothing is said before its end."""

    answer: Callable[[], Any]

    def add(self, piece: bytes) -> None:
        pass

    def done(self, kept: bytes, size: int) -> Any:
        return self.answer()


def read(provider: GuardedProvider, body: bytes = b"") -> DeliveryReport:
    reading = provider.read_delivery({}, (), NOW)
    if isinstance(reading, Rejected):
        return reading
    reading.add(body)
    return reading.done(body, len(body))


def guarded(answer: Any) -> GuardedProvider:
    def give() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return GuardedProvider(cast("Provider", Stub(give)), CallDeadlines())


async def test_what_makes_sense_passes():
    assert await guarded(["whsec_a", "whsec_b"]).delivery_secrets(fresh=True) == ("whsec_a", "whsec_b")
    for event in (DeliveryEvent("d", "r"), DeliveryEvent("d", "r", SEEN), Rejected("no")):
        assert read(guarded(event)) == event


@pytest.mark.parametrize("answer", [None, "whsec_one_text", [b"bytes"], [1]])
async def test_secrets_that_are_none_are_a_failure_that_does_not_show_them(answer):
    failure = await guarded(answer).delivery_secrets()
    assert isinstance(failure, Failure)
    assert "whsec" not in failure.message
    assert "bytes'" not in failure.message


@pytest.mark.parametrize(
    "answer",
    [None, True, "ok", DeliveryEvent("", "r"), DeliveryEvent("d", ""), DeliveryEvent(cast("str", 1), "r"),
     KeyError("id"), RecursionError(), errors.Unavailable()],
)  # fmt: skip
def test_a_delivery_that_makes_no_sense_or_breaks_the_reader_is_rejected(answer):
    assert isinstance(read(guarded(answer), b"{"), Rejected)


def test_a_claim_that_makes_no_sense_is_left_out_of_a_delivery():
    """The job is read back from the provider anyway."""
    wrong = Observation(Phase.RUNNING, "x", cost_usd=-1.0)
    assert read(guarded(DeliveryEvent("d", "r", wrong))) == DeliveryEvent("d", "r", None)


async def test_they_fail_by_kind_and_in_time(autojump_clock):
    failure = await guarded(errors.NotFound("gone")).delivery_secrets()
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.message) == (FailureKind.OTHER, "gone")

    class Hanging(Stub):
        async def delivery_secrets(self, *, fresh: bool = False) -> Any:
            await trio.sleep_forever()

    started = trio.current_time()
    late = await GuardedProvider(cast("Provider", Hanging(lambda: ()))).delivery_secrets()
    assert isinstance(late, Failure)
    assert timedelta(seconds=trio.current_time() - started) <= timedelta(seconds=15)


async def test_a_provider_without_deliveries_inherits_that():
    class Plain(NoDeliveries):
        name = "plain"
        capabilities = Capabilities()

    plain = GuardedProvider(cast("Provider", Plain()))
    assert await plain.delivery_secrets() == ()
    assert isinstance(read(plain), Rejected)
