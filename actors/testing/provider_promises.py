"""What is promised by every provider, one function each; its docstring is the promise."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Sequence
from typing import Protocol

import attrs
import orjson
import trio

from actors.jobs.records import Phase
from actors.providers.base import Absent, CancelAck, Handle, Submitted, Unknowable, describe_capacity
from actors.providers.errors import Invalid
from actors.testing.provider_harness import ENDED, Harness


class Promise(Protocol):
    """A check of one promise: raises :class:`AssertionError` where it is broken; some need not wait."""

    __name__: str

    def __call__(self, harness: Harness) -> Awaitable[None] | None:
        """Check it with a fresh ``harness``."""
        ...


def prepare_is_pure(harness: Harness) -> None:
    """The same request gives the same JSON-able body twice, and nothing happens outside."""
    request = harness.quick_request()
    first, second = harness.provider.prepare(request), harness.provider.prepare(request)
    assert first == second
    orjson.dumps(dict(first.body))


def prepare_names_the_wrong_field(harness: Harness) -> None:
    """A wrong request is Invalid, with the field in the message."""
    if harness.wrong_request is None:
        return
    refusal: Invalid | None = None
    try:
        harness.provider.prepare(harness.wrong_request())
    except Invalid as error:
        refusal = error
    assert refusal is not None, "a wrong request was accepted"
    assert harness.wrong_field in str(refusal), f"{refusal} does not name {harness.wrong_field}"


def capacity_is_data(harness: Harness) -> None:
    """Capacity is given without waiting, and the same twice."""
    assert harness.provider.capacity() == harness.provider.capacity()
    assert describe_capacity(harness.provider.capacity())


async def a_job_runs_to_success(harness: Harness) -> None:
    """A job that ends well is seen to succeed, with aware times in their order."""
    _, _, seen = await harness.end(harness.quick_request())
    assert seen.phase is Phase.SUCCEEDED, seen
    assert seen.started_at is not None
    assert seen.completed_at is not None
    assert seen.started_at.tzinfo is not None
    assert seen.started_at <= seen.completed_at


async def a_failed_job_says_why(harness: Harness) -> None:
    """A job that fails by itself is FAILED, with an error or an exit code."""
    _, _, seen = await harness.end(harness.failing_request())
    assert seen.phase is Phase.FAILED, seen
    assert seen.error or seen.exit_code


async def an_end_stays(harness: Harness) -> None:
    """What was seen to end is seen the same later."""
    key, handle, seen = await harness.end(harness.quick_request())
    again = await harness.look(key, handle)
    assert (again.phase, again.started_at, again.completed_at) == (seen.phase, seen.started_at, seen.completed_at)


async def the_same_key_is_one_job(harness: Harness) -> None:
    """A second submission under one key returns the first one's handle and says that it existed."""
    if not harness.can_tell:
        return
    request = harness.long_request()
    key, first = await harness.submit(request)
    _, second = await harness.submit(request, key)
    assert not first.existed
    assert second.existed
    assert second.handle == first.handle
    await _stop(harness, key, first.handle)


async def submissions_at_once_under_one_key_are_one_job(harness: Harness) -> None:
    """Several submissions under one key at the same time get the same handle; not all of them found it there."""
    if not harness.can_tell:
        return
    answers: list[Submitted] = []

    async def hand_over() -> None:
        answers.append((await harness.submit(harness.long_request(), "conformance-at-once"))[1])

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(hand_over)
    assert not all(answer.existed for answer in answers)
    assert all(answer.handle == answers[0].handle for answer in answers)
    await _stop(harness, "conformance-at-once", answers[0].handle)


async def a_lost_answer_is_settled_by_find(harness: Harness) -> None:
    """The key alone finds the job and its handle; a provider that cannot do that answers UNKNOWABLE."""
    key, submitted = await harness.submit(harness.long_request())
    found = await harness.find(key)
    if harness.can_tell:
        assert isinstance(found, Submitted), found
        assert found.handle == submitted.handle
    else:
        assert isinstance(found, Unknowable), found
    await _stop(harness, key, submitted.handle)


async def an_unknown_key_is_surely_absent(harness: Harness) -> None:
    """A key under which nothing was submitted is absent; a provider that cannot know answers UNKNOWABLE."""
    found = await harness.find("conformance-never-handed-over")
    assert isinstance(found, Absent if harness.can_tell else Unknowable), found


async def many_jobs_in_one_look(harness: Harness) -> None:
    """A look at many jobs has each under its key."""
    handles = dict([await _submit_quick(harness) for _ in range(5)])
    view = await harness.provider.observe_many(handles)
    assert view.complete
    assert view.observations.keys() == handles.keys()
    for key, handle in handles.items():
        assert (await harness.reach(key, handle, ENDED)).phase is Phase.SUCCEEDED


async def a_look_at_nothing_is_empty(harness: Harness) -> None:
    """Asking about no job is no error."""
    view = await harness.provider.observe_many({})
    assert (dict(view.observations), view.absent) == ({}, frozenset())


async def an_unknown_handle_is_no_error(harness: Harness) -> None:
    """A handle that was never given: not observed alive, not cancelled, forgotten without an error."""
    key, handle = "conformance-unknown", harness.unknown_handle
    view = await harness.provider.observe_many({key: handle})
    seen = view.observations.get(key)
    assert key in view.absent or (seen is not None and seen.phase is Phase.LOST), view
    assert await harness.provider.cancel(key, handle) is CancelAck.UNKNOWN_JOB
    await harness.provider.forget(key, handle)


async def cancel_ends_a_job_and_may_be_repeated(harness: Harness) -> None:
    """A running job that is cancelled twice is CANCELED; only the observation says so."""
    key, submitted = await harness.submit(harness.long_request())
    await harness.reach(key, submitted.handle, frozenset({Phase.RUNNING}))
    for _ in range(2):
        ack = await harness.provider.cancel(key, submitted.handle)
        assert ack in (CancelAck.ACCEPTED, CancelAck.ALREADY_TERMINAL)
    seen = await harness.reach(key, submitted.handle, ENDED)
    assert seen.phase is Phase.CANCELED, seen


async def cancel_at_once_ends_a_job(harness: Harness) -> None:
    """A cancel directly after the submission is obeyed too, where the provider says that it is reliable then."""
    if harness.provider.capabilities.cancel_pending_reliable:
        key, submitted = await harness.submit(harness.long_request())
        await harness.provider.cancel(key, submitted.handle)
        assert (await harness.reach(key, submitted.handle, ENDED)).phase is Phase.CANCELED


async def cancel_changes_no_end(harness: Harness) -> None:
    """A cancel after the end is answered so, and the end stays what it was."""
    key, handle, seen = await harness.end(harness.quick_request())
    assert await harness.provider.cancel(key, handle) is CancelAck.ALREADY_TERMINAL
    assert (await harness.look(key, handle)).phase is seen.phase


async def logs_go_on_from_a_cursor(harness: Harness) -> None:
    """From each cursor the rest follows, without a gap or a repetition; from the last one, nothing."""
    key, handle, _ = await harness.end(harness.quick_request())
    provider = harness.provider
    chunks = [chunk async for chunk in provider.logs(key, handle)]
    assert b"".join(chunk.data for chunk in chunks), "the quick job wrote nothing"
    for number, chunk in enumerate(chunks, start=1):
        rest = b"".join([later.data async for later in provider.logs(key, handle, chunk.cursor)])
        assert rest == b"".join(later.data for later in chunks[number:])


async def forget_may_be_repeated(harness: Harness) -> None:
    """An ended job is forgotten once, and asking again is no error."""
    key, handle, _ = await harness.end(harness.quick_request())
    await harness.provider.forget(key, handle)
    await harness.provider.forget(key, handle)
    if harness.can_tell:
        assert isinstance(await harness.find(key), Absent)


async def jobs_survive_our_restart(harness: Harness) -> None:
    """A second provider on the same outside finds the job, and ends it."""
    if not harness.provider.capabilities.survives_our_restart or harness.reopen is None:
        return
    key, submitted = await harness.submit(harness.long_request())
    await harness.provider.aclose()
    second = attrs.evolve(harness, provider=harness.reopen())
    if harness.can_tell:
        found = await second.find(key)
        assert isinstance(found, Submitted), found
        assert found.handle == submitted.handle
    await _stop(second, key, submitted.handle)
    await second.provider.aclose()


async def aclose_may_be_repeated(harness: Harness) -> None:
    """Closing twice is no error."""
    await harness.provider.aclose()
    await harness.provider.aclose()


async def _submit_quick(harness: Harness) -> tuple[str, Handle]:
    key, submitted = await harness.submit(harness.quick_request())
    return key, submitted.handle


async def _stop(harness: Harness, key: str, handle: Handle) -> None:
    await harness.provider.cancel(key, handle)
    await harness.reach(key, handle, ENDED)


PROMISES: Sequence[Promise] = tuple(
    one
    for name, one in list(globals().items())
    if inspect.isfunction(one) and one.__module__ == __name__ and not name.startswith("_")
)
"""Every public function of this file, in its order."""
