"""The guard judges whatever a provider does, and lets nothing through but cancellation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import Capacity, JobRequest
from actors.jobs.retry import FailureKind
from actors.providers import errors
from actors.providers.base import Capabilities, Handle, LogChunk, Nudge, Prepared, Provider, Submitted
from actors.providers.guard import CallDeadlines, Failure, GuardedProvider
from actors.providers.scripted import ScriptedProvider, ScriptedRemote

Behaviour = Callable[[], Any]


class Stub:
    """A provider whose every call does the same thing."""

    name = "stub"
    capabilities = Capabilities()

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave

    def capacity(self) -> Any:
        return self._behave()

    def prepare(self, request: JobRequest) -> Any:
        return self._behave()

    async def _do(self) -> Any:
        await trio.lowlevel.checkpoint()
        answer = self._behave()
        return await answer if hasattr(answer, "__await__") else answer

    async def check(self) -> Any:
        return await self._do()

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Any:
        return await self._do()

    async def find(self, key: str, token: str) -> Any:
        return await self._do()

    async def observe_many(self, handles: Mapping[str, Handle]) -> Any:
        return await self._do()

    async def cancel(self, key: str, handle: Handle) -> Any:
        return await self._do()

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        yield await self._do()

    async def forget(self, key: str, handle: Handle) -> Any:
        return await self._do()

    async def watch(self, nudge: Nudge) -> Any:
        return await self._do()

    async def aclose(self) -> Any:
        return await self._do()


def guarded(behave: Behaviour) -> GuardedProvider:
    return GuardedProvider(cast("Provider", Stub(behave)), CallDeadlines())


def raising(error: BaseException) -> Behaviour:
    def behave() -> Any:
        raise error

    return behave


def answering(answer: object) -> Behaviour:
    return lambda: answer


async def submit(provider: GuardedProvider) -> Submitted | Failure:
    return await provider.submit("j1", "t", Prepared({}), {})


CALLS: Mapping[str, Callable[[GuardedProvider], Any]] = {
    "check": lambda provider: provider.check(),
    "submit": submit,
    "find": lambda provider: provider.find("j1", "t"),
    "observe_many": lambda provider: provider.observe_many({"j1": {}}),
    "cancel": lambda provider: provider.cancel("j1", {}),
    "logs": lambda provider: provider.logs("j1", {}),
    "forget": lambda provider: provider.forget("j1", {}),
    "aclose": lambda provider: provider.aclose(),
}

KINDS: list[tuple[Exception, FailureKind, bool]] = [
    # error, kind for a submission, whether that spends an attempt should the job turn out not to be there
    (errors.Invalid("x"), FailureKind.INVALID, False),
    (errors.Auth("x"), FailureKind.AUTH, False),
    (errors.Forbidden("x"), FailureKind.FORBIDDEN, False),
    (errors.RateLimited("x", 7), FailureKind.RATE_LIMITED, False),
    (errors.Unavailable("x", 7), FailureKind.UNAVAILABLE, False),
    (errors.OutcomeUnknown("x"), FailureKind.OUTCOME_UNKNOWN, False),
    (errors.Conflict("x"), FailureKind.OTHER, False),
    (errors.NotFound("x"), FailureKind.OTHER, False),
    (errors.ProviderError("x"), FailureKind.OTHER, False),
    (errors.Protocol("x"), FailureKind.OUTCOME_UNKNOWN, True),
    (KeyError("x"), FailureKind.OUTCOME_UNKNOWN, True),
    (trio.TooSlowError("x"), FailureKind.OUTCOME_UNKNOWN, True),
]


@pytest.mark.parametrize(("error", "kind", "spends"), KINDS, ids=lambda value: getattr(type(value), "__name__", None))
async def test_a_submission_that_failed_is_judged_by_kind(error: Exception, kind: FailureKind, spends: bool) -> None:
    """Surely refused keeps its kind; whatever is not sure is an unknown outcome."""
    failure = await submit(guarded(raising(error)))
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.spends_attempt, failure.cause) == (kind, spends, error)
    assert failure.retry_after == getattr(error, "retry_after", None)


@pytest.mark.parametrize("error", [KeyError("x"), errors.Protocol("x")], ids=["bug", "protocol"])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "submit"])
async def test_a_bug_in_any_other_call_is_a_failure_of_no_kind(name: str, error: Exception) -> None:
    """Nothing was at stake but the answer: OTHER, and no attempt is spent."""
    failure = await CALLS[name](guarded(raising(error)))
    assert (failure.kind, failure.spends_attempt, failure.cause) == (FailureKind.OTHER, False, error)


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_hangs_ends_at_its_deadline(name: str, autojump_clock: MockClock) -> None:
    """A hanging submission has an unknown outcome; any other hanging call is an unavailable provider."""
    failure = await CALLS[name](guarded(trio.sleep_forever))
    assert failure.kind is (FailureKind.OUTCOME_UNKNOWN if name == "submit" else FailureKind.UNAVAILABLE)
    assert not failure.spends_attempt
    call = "observe" if name == "observe_many" else name
    seconds = getattr(CallDeadlines(), call)
    assert trio.current_time() == seconds
    assert failure.message == f"stub did not answer {call} within {seconds:g} s"


@pytest.mark.parametrize("name", [name for name in CALLS if name != "aclose"])
async def test_cancellation_passes_through(name: str, autojump_clock: MockClock) -> None:
    """A caller's cancel ends the call, and no failure is made of it."""
    with trio.move_on_after(1) as scope:
        await CALLS[name](guarded(trio.sleep_forever))
        pytest.fail("the call answered")
    assert scope.cancelled_caught


async def test_closing_is_shielded_up_to_its_deadline(autojump_clock: MockClock) -> None:
    """A provider may take its time to close, though the caller is cancelled; not for ever."""
    closed = []

    async def close() -> None:
        await trio.sleep(1)
        closed.append(trio.current_time())

    with trio.CancelScope() as scope:
        scope.cancel()
        assert await guarded(close).aclose() is None
        failure = await guarded(trio.sleep_forever).aclose()
    assert closed == [1]
    assert failure is not None
    assert trio.current_time() == 1 + CallDeadlines().aclose


async def test_a_cancel_beside_failures_leaves_as_a_cancel_only(autojump_clock: MockClock) -> None:
    """Tasks of the provider that fail while we cancel it do not crash the caller."""

    async def fail_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("clumsy")

    async def two_tasks() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_when_cancelled)
            nursery.start_soon(trio.sleep_forever)

    with trio.move_on_after(1) as scope:
        await submit(guarded(two_tasks))
    assert scope.cancelled_caught
    failure = await submit(guarded(two_tasks))  # now it is our own deadline that cancels
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.OUTCOME_UNKNOWN


async def test_an_interrupt_is_not_a_failure_of_the_provider() -> None:
    """KeyboardInterrupt leaves, alone or out of a group."""
    with pytest.raises(KeyboardInterrupt):
        await submit(guarded(raising(KeyboardInterrupt())))
    group = BaseExceptionGroup("two", [KeyboardInterrupt(), KeyError("x")])
    with pytest.RaisesGroup(KeyboardInterrupt):
        await submit(guarded(raising(group)))


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([errors.Unavailable("x")], FailureKind.UNAVAILABLE),
        ([errors.Invalid("x"), errors.Unavailable("x")], FailureKind.UNAVAILABLE),
        ([errors.Unavailable("x"), errors.OutcomeUnknown("x")], FailureKind.OUTCOME_UNKNOWN),
        ([errors.Unavailable("x"), ExceptionGroup("y", [KeyError("x")])], FailureKind.OUTCOME_UNKNOWN),
        ([errors.Auth("x"), errors.Conflict("x")], FailureKind.OTHER),
    ],
)
async def test_a_group_is_judged_by_the_member_that_claims_least(members: list[Exception], kind: FailureKind) -> None:
    """ "Surely not accepted" holds only when every member says so."""
    for order in (members, members[::-1]):
        failure = await submit(guarded(raising(ExceptionGroup("several", order))))
        assert isinstance(failure, Failure)
        assert failure.kind is kind


@pytest.mark.parametrize("retry_after", [-1, float("nan"), float("inf"), "soon"])
async def test_a_wait_that_makes_no_sense_is_not_passed_on(retry_after: Any) -> None:
    """As if the provider had said nothing."""
    failure = await submit(guarded(raising(errors.RateLimited("x", retry_after))))
    assert isinstance(failure, Failure)
    assert failure.retry_after is None


async def test_a_message_is_never_empty_and_never_endless() -> None:
    """Without words the type speaks; a page of HTML is cut."""
    short = await submit(guarded(raising(errors.Unavailable())))
    long = await submit(guarded(raising(ValueError("x" * 100_000))))
    assert isinstance(short, Failure)
    assert isinstance(long, Failure)
    assert short.message == "Unavailable"
    assert long.message.startswith("ValueError: xxx")
    assert len(long.message) < 2_100


GARBAGE: list[tuple[str, object]] = [
    ("check", None),
    ("check", {"x": object()}),
    ("submit", None),
    ("submit", Submitted(cast("Handle", "run-1"))),
    ("submit", Submitted({"run": object()})),
    ("submit", Submitted({"run": "x" * 20_000})),
    ("find", None),
    ("find", True),
    ("observe_many", {"j1": "running"}),
    ("cancel", "accepted"),
    ("logs", "a line"),
]


@pytest.mark.parametrize(("name", "answer"), GARBAGE)
async def test_an_answer_that_makes_no_sense_is_a_protocol_failure(name: str, answer: object) -> None:
    """Nobody above the guard sees it; a submission's is an unknown outcome that spends an attempt."""
    failure = await CALLS[name](guarded(answering(answer)))
    assert isinstance(failure, Failure)
    assert failure.kind is (FailureKind.OUTCOME_UNKNOWN if name == "submit" else FailureKind.OTHER)
    assert isinstance(failure.cause, errors.Protocol)
    assert failure.spends_attempt == (name == "submit")


def test_calls_that_do_not_wait_are_guarded_too() -> None:
    """prepare and capacity answer, or fail by kind."""
    invalid = guarded(raising(errors.Invalid("spec.x is unknown"))).prepare(JobRequest())
    assert isinstance(invalid, Failure)
    assert (invalid.kind, invalid.message) == (FailureKind.INVALID, "spec.x is unknown")
    for wrong in (raising(KeyError("x")), answering(Capacity(cpus=-1)), answering(Capacity(cpus=cast("int", "4")))):
        failure = guarded(wrong).capacity()
        assert isinstance(failure, Failure)
        assert failure.kind is FailureKind.OTHER
    assert guarded(answering(Capacity(cpus=4))).capacity() == Capacity(cpus=4)


async def test_logs_end_at_the_asked_size() -> None:
    """Whole chunks until the size is passed, and the generator is closed."""
    remote = ScriptedRemote(lambda: datetime(2024, 1, 15, tzinfo=UTC))
    plain = ScriptedProvider(remote=remote)
    submitted = await plain.submit("j1", "t", plain.prepare(JobRequest(spec={"duration": 0})), {})
    provider = GuardedProvider(plain)
    everything = await provider.logs("j1", submitted.handle)
    assert isinstance(everything, list)
    assert b"completed" in everything[-1].data
    assert await provider.logs("j1", submitted.handle, everything[-1].cursor) == []


async def test_a_watch_has_no_deadline_and_passes_nudges_on(autojump_clock: MockClock) -> None:
    """It runs until cancelled; a watch that fails is a failure like any other."""
    with trio.move_on_after(10_000) as scope:
        await guarded(trio.sleep_forever).watch(lambda _: None)
    assert scope.cancelled_caught
    assert await guarded(answering(None)).watch(lambda _: None) is None
    failure = await guarded(raising(errors.Unavailable("x"))).watch(lambda _: None)
    assert failure is not None
    assert failure.kind is FailureKind.UNAVAILABLE
