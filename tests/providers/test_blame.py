"""What counts against a provider: every call of every provider, and every way in which it can fail.

The calls are those of the guard, so that a new one is missing here; the providers are those that can be configured.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import JobRequest
from actors.providers import errors
from actors.providers.base import Idempotency, Prepared, Provider
from actors.providers.breaker import BreakerOptions, BreakerState
from actors.providers.deliveries import Rejected
from actors.providers.guard import Failure, GuardedProvider
from actors.providers.registry import kinds
from tests.providers.provider_calls import CALLS, IDS, NEVER, PREPARED, real_one

NOT_THROUGH_THE_BREAKER = {
    "capacity",
    "devices",
    "prepare",
    "check_requests",
    "stored_bytes",
    "read_delivery",
    "follow",
    "watch",
    "settled",
    "aclose",
}


def test_no_call_is_left_out() -> None:
    """Whatever the guard offers is in the grid, or is known to ask nobody or to wait an outage out."""
    offered = {name for name, _ in inspect.getmembers(GuardedProvider, inspect.isfunction) if not name.startswith("_")}
    assert offered == {name.partition(" ")[0] for name in CALLS} | NOT_THROUGH_THE_BREAKER
    through = {name for name in offered if "self._call(" in inspect.getsource(getattr(GuardedProvider, name))}
    assert through == offered - NOT_THROUGH_THE_BREAKER


FAILURES: Mapping[str, Callable[[], Exception | None]] = {
    "unreachable": lambda: errors.Unavailable("no route"),
    "5xx": lambda: errors.Unavailable("500", reached=True),
    "5xx, perhaps accepted": lambda: errors.OutcomeUnknown("500"),
    "not understood": lambda: errors.Protocol("<html>"),
    "hangs": lambda: None,
    "invalid": lambda: errors.Invalid("400"),
    "not found": lambda: errors.NotFound("404"),
    "conflict": lambda: errors.Conflict("409"),
    "auth": lambda: errors.Auth("401"),
    "forbidden": lambda: errors.Forbidden("402"),
    "rate limited": lambda: errors.RateLimited("429"),
    "refused": lambda: errors.ProviderError("418"),
    "a 4xx that may be tried again": lambda: _with_status(errors.Unavailable("408", reached=True), 408),
    "a bug": lambda: KeyError("x"),
}
ALL_KINDS = ("unreachable", "5xx", "5xx, perhaps accepted", "not understood", "hangs")


def _with_status(error: errors.ProviderError, status: int) -> errors.ProviderError:
    error.status = status
    return error


def expected(call: str, failure: str, *, about_one: bool, local: bool) -> str:
    """Against whom it counts: "nobody", "job" or "provider", as the promise has it in words."""
    if call in NEVER:
        return "nobody"
    if failure == "a 4xx that may be tried again":
        return "nobody" if about_one else "provider"
    if failure not in ALL_KINDS or (local and failure in ("5xx, perhaps accepted", "not understood")):
        return "nobody"
    return "job" if about_one and failure != "unreachable" else "provider"


class Failing:
    """A provider with the capabilities of a real one, whose methods fail as they are told to."""

    def __init__(self, real: Provider, failure: Callable[[], Exception | None]) -> None:
        self.name = real.name
        self.capabilities = real.capabilities
        self.failure: Callable[[], Exception | None] | None = failure

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "remarks":
            raise AttributeError(name)

        async def fail(*_: object, **__: object) -> Any:
            await trio.lowlevel.checkpoint()
            if (error := self.failure() if self.failure is not None else None) is not None:
                raise error
            await trio.sleep_forever()

        async def fail_in_a_stream(*_: object, **__: object) -> Any:
            yield await fail()

        return fail_in_a_stream if name == "logs" else fail


async def counts(provider: GuardedProvider, call: str, times: int = 20) -> str:
    """Against whom failures of ``call`` count: found out by what they do to the breaker."""
    ask, _about_one = CALLS[call]
    for _ in range(times):
        await ask(provider, IDS[0])
    if provider.breaker.state is BreakerState.OPEN:
        return "provider"
    for number in range(times):  # another job's calls are the second witness
        await ask(provider, IDS[number % 2])
    return "job" if provider.breaker.state is BreakerState.OPEN else "nobody"


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", kinds())
async def test_what_a_failure_counts_against(
    kind: str, call: str, failure: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Output: nobody. A refusal: nobody. One job's question: that job, until a second one fails, too."""
    real = real_one(kind, tmp_path)
    PREPARED[real.name] = Prepared({})
    provider = GuardedProvider(Failing(real, FAILURES[failure]), breaker=BreakerOptions(open_seconds=1e9))  # type: ignore[arg-type]
    about_one = CALLS[call][1]
    if call == "find":
        about_one = real.capabilities.submit_idempotency is Idempotency.CLIENT_ID
    local = real.capabilities.ends_are_local_events
    assert await counts(provider, call) == expected(call, failure, about_one=about_one, local=local)


@pytest.mark.parametrize("failure", [name for name in FAILURES if name != "hangs"])
@pytest.mark.parametrize("kind", kinds())
def test_what_asks_nobody_counts_against_nobody(kind: str, failure: str, tmp_path: Path) -> None:
    """A request that cannot be prepared, a delivery that cannot be read."""

    class Odd:
        name = kind
        capabilities = real_one(kind, tmp_path).capabilities

        def fail(self, *_: object) -> Any:
            error = FAILURES[failure]()
            assert error is not None
            raise error

        capacity = prepare = read_delivery = fail

    provider = GuardedProvider(Odd())  # type: ignore[arg-type]
    for _ in range(20):
        assert isinstance(provider.capacity(), Failure)
        assert isinstance(provider.prepare(JobRequest()), Failure)
        assert isinstance(provider.read_delivery({}, (), datetime.now(UTC)), Rejected)
    assert provider.breaker.state is BreakerState.CLOSED
