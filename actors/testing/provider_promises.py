"""The promises of every provider, one function for each. The docstring of a function is the promise."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

import attrs
import orjson
import trio

from actors.jobs.records import Capacity, Phase
from actors.providers.base import Absent, CancelAck, Handle, Idempotency, Submitted, Unknowable
from actors.providers.errors import Invalid
from actors.testing.provider_harness import ENDED, Harness

_NONE = "a provider with submit_idempotency NONE"


class Promise(Protocol):
    """A check of one promise. It raises :class:`AssertionError` if the promise is broken. Some checks need not wait."""

    __name__: str

    def __call__(self, harness: Harness) -> Awaitable[None] | None:
        """Check it with a new ``harness``."""
        ...


def prepare_is_pure(harness: Harness) -> None:
    """``prepare`` gives the same body, which JSON can hold, for the same request twice, and has no effect outside."""
    request = harness.quick_request()
    first, second = harness.provider.prepare(request), harness.provider.prepare(request)
    assert first == second, f"prepare() gave two bodies for one request: {first.body} and {second.body}"
    fault = _json_fault(first.body)
    assert fault is None, f"prepare() must give a body that JSON can hold, since it is stored: {fault}"


def prepare_names_the_wrong_field(harness: Harness) -> None:
    """A wrong request is refused with ``Invalid``, which carries the field."""
    if harness.wrong_request is None:
        return
    refusal: Invalid | None = None
    try:
        harness.provider.prepare(harness.wrong_request())
    except Invalid as error:
        refusal = error
    assert refusal is not None, "prepare() accepted the wrong request: raise Invalid"
    fields = [fault.field for fault in refusal.faults]
    assert harness.wrong_field in fields, f"Invalid must carry {harness.wrong_field!r}, not {fields}: {refusal}"


def capacity_is_data(harness: Harness) -> None:
    """``capacity`` answers without waiting, and the same twice."""
    first, second = harness.provider.capacity(), harness.provider.capacity()
    assert isinstance(first, Capacity), f"capacity() must return a Capacity at once, not {first!r}"
    assert first == second, f"capacity() must give the same twice, not {first} and {second}"


async def a_job_runs_to_success(harness: Harness) -> None:
    """A job that ends well is observed as succeeded, and its times are aware and in order."""
    _, _, seen = await harness.end(harness.quick_request())
    assert seen.phase is Phase.SUCCEEDED, f"the quick request must end as SUCCEEDED, not {seen.phase.name}: {seen}"
    for name, moment in (("started_at", seen.started_at), ("completed_at", seen.completed_at)):
        assert moment is not None, f"the observation of an ended job must have {name}: {seen}"
        assert moment.tzinfo is not None, f"{name} must have a time zone: {moment!r}"
    assert seen.started_at is not None
    assert seen.completed_at is not None
    assert seen.started_at <= seen.completed_at, f"started_at must not be after completed_at: {seen}"


async def a_failed_job_says_why(harness: Harness) -> None:
    """A job that fails by itself is ``FAILED``, and has an error or an exit code."""
    _, _, seen = await harness.end(harness.failing_request())
    assert seen.phase is Phase.FAILED, f"the failing request must end as FAILED, not {seen.phase.name}: {seen}"
    assert seen.error or seen.exit_code, f"the observation of a failed job must have an error or an exit_code: {seen}"


async def an_end_stays(harness: Harness) -> None:
    """A job that was observed to have ended is observed the same later."""
    key, handle, seen = await harness.end(harness.quick_request())
    again = await harness.look(key, handle)
    for name in ("phase", "started_at", "completed_at"):
        before, after = getattr(seen, name), getattr(again, name)
        assert before == after, f"{name} of an ended job must stay as it was: first {before}, later {after}"


async def the_same_key_is_one_job(harness: Harness) -> None:
    """A second submission under one key returns the handle of the first one, and says that the job existed."""
    if not harness.can_tell:
        return
    request = harness.long_request()
    key, first = await harness.submit(request)
    _, second = await harness.submit(request, key)
    assert not first.existed, "submit() under a new key must say existed=False"
    assert second.existed, "submit() under a known key must say existed=True, and start no second job"
    assert second.handle == first.handle, f"one key must have one handle, not {first.handle} and {second.handle}"
    await _stop(harness, key, first.handle)


async def submissions_at_once_under_one_key_are_one_job(harness: Harness) -> None:
    """Several submissions under one key at the same time return the same handle, and not all of them say that the job
    existed.
    """
    if not harness.can_tell:
        return
    answers: list[Submitted] = []

    async def hand_over() -> None:
        answers.append((await harness.submit(harness.long_request(), "conformance-at-once"))[1])

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(hand_over)
    assert not all(answer.existed for answer in answers), (
        "of five submissions one must have made the job (existed=False)"
    )
    different = [answer.handle for answer in answers if answer.handle != answers[0].handle]
    assert not different, f"five submissions of one key made several jobs: {answers[0].handle} and {different[0]}"
    await _stop(harness, "conformance-at-once", answers[0].handle)


async def a_lost_answer_is_settled_by_find(harness: Harness) -> None:
    """The key alone is enough to find the job and its handle. A provider that cannot do that answers ``UNKNOWABLE``."""
    key, submitted = await harness.submit(harness.long_request())
    found = await harness.find(key)
    if harness.can_tell:
        assert isinstance(found, Submitted), f"find() must return the job that was submitted, not {_shown(found)}"
        assert found.handle == submitted.handle, f"find() gave {found.handle}, submit() gave {submitted.handle}"
        if harness.provider.capabilities.submit_idempotency is Idempotency.CLIENT_ID:
            found = await harness.provider.find(key, "")
            text = f'find(key, "") must return the job, whose token is lost after a restore, not {_shown(found)}'
            assert isinstance(found, Submitted), text
    else:
        assert isinstance(found, Unknowable), f"{_NONE} must answer UNKNOWABLE in find(), not {_shown(found)}"
    await _stop(harness, key, submitted.handle)


async def an_unknown_key_is_surely_absent(harness: Harness) -> None:
    """A key under which nothing was submitted is absent. A provider that cannot know this answers ``UNKNOWABLE``."""
    found = await harness.find("conformance-never-handed-over")
    if harness.can_tell:
        assert isinstance(found, Absent), (
            f"find() of a key that was never submitted must be ABSENT, not {_shown(found)}"
        )
    else:
        assert isinstance(found, Unknowable), f"{_NONE} must answer UNKNOWABLE in find(), not {_shown(found)}"


async def many_jobs_in_one_look(harness: Harness) -> None:
    """One look at many jobs has each job under its key."""
    handles = dict([await _submit_quick(harness) for _ in range(5)])
    view = await harness.provider.observe_many(handles)
    assert view.complete, "observe_many() must return a complete view when nothing is in its way"
    missing, others = handles.keys() - view.observations.keys(), view.observations.keys() - handles.keys()
    assert not missing, f"observe_many() left out {sorted(missing)}: it must have each job that was asked about"
    assert not others, f"observe_many() has {sorted(others)}, which were not asked about"
    for key, handle in handles.items():
        phase = (await harness.reach(key, handle, ENDED)).phase
        assert phase is Phase.SUCCEEDED, f"the quick job {key} must end as SUCCEEDED, not {phase.name}"


async def a_look_at_nothing_is_empty(harness: Harness) -> None:
    """A look at no jobs is no error."""
    view = await harness.provider.observe_many({})
    assert not view.observations, f"observe_many({{}}) must observe nothing, not {dict(view.observations)}"
    assert not view.absent, f"observe_many({{}}) must call nothing absent, not {sorted(view.absent)}"


async def an_unknown_handle_is_no_error(harness: Harness) -> None:
    """A job whose handle was never given is not observed as alive, is not cancelled, and is forgotten without error."""
    key, handle = "conformance-unknown", harness.unknown_handle
    view = await harness.provider.observe_many({key: handle})
    seen = view.observations.get(key)
    is_gone = key in view.absent or (seen is not None and seen.phase is Phase.LOST)
    assert is_gone, f"observe_many() must have an unknown handle in absent, or as LOST: {view}"
    ack = await harness.provider.cancel(key, handle)
    assert ack is CancelAck.UNKNOWN_JOB, f"cancel() of an unknown handle must answer UNKNOWN_JOB, not {_shown(ack)}"
    await harness.provider.forget(key, handle)


async def cancel_ends_a_job_and_may_be_repeated(harness: Harness) -> None:
    """A running job that is cancelled twice becomes ``CANCELED``. Only the observation says so."""
    key, submitted = await harness.submit(harness.long_request())
    await harness.reach(key, submitted.handle, frozenset({Phase.RUNNING}))
    for _ in range(2):
        ack = await harness.provider.cancel(key, submitted.handle)
        good = ack in (CancelAck.ACCEPTED, CancelAck.ALREADY_TERMINAL)
        assert good, f"cancel() of a running job must answer ACCEPTED or ALREADY_TERMINAL, not {_shown(ack)}"
    seen = await harness.reach(key, submitted.handle, ENDED)
    assert seen.phase is Phase.CANCELED, f"a job that was cancelled must end as CANCELED, not {seen.phase.name}: {seen}"


async def cancel_at_once_ends_a_job(harness: Harness) -> None:
    """A cancel request directly after the submission is obeyed, too, if the provider says that this is reliable."""
    if harness.provider.capabilities.cancel_pending_reliable:
        key, submitted = await harness.submit(harness.long_request())
        await harness.provider.cancel(key, submitted.handle)
        phase = (await harness.reach(key, submitted.handle, ENDED)).phase
        words = "cancel_pending_reliable says that a job cancelled before it runs surely ends as CANCELED"
        assert phase is Phase.CANCELED, f"{words}, not {phase.name}"


async def cancel_changes_no_end(harness: Harness) -> None:
    """A cancel request after the end is answered with ``ALREADY_TERMINAL``, and the end stays the same."""
    key, handle, seen = await harness.end(harness.quick_request())
    ack = await harness.provider.cancel(key, handle)
    assert ack is CancelAck.ALREADY_TERMINAL, (
        f"cancel() of an ended job must answer ALREADY_TERMINAL, not {_shown(ack)}"
    )
    phase = (await harness.look(key, handle)).phase
    assert phase is seen.phase, f"cancel() changed the end of a job from {seen.phase.name} to {phase.name}"


async def logs_go_on_from_a_cursor(harness: Harness) -> None:
    """From each cursor the rest of the output follows, without gaps or repetitions; from the last cursor nothing
    follows.
    """
    key, handle, _ = await harness.end(harness.quick_request())
    provider = harness.provider
    chunks = [chunk async for chunk in provider.logs(key, handle)]
    assert b"".join(chunk.data for chunk in chunks), "logs() gave nothing; the quick request must write something"
    for number, chunk in enumerate(chunks, start=1):
        rest = b"".join([later.data async for later in provider.logs(key, handle, chunk.cursor)])
        due = b"".join(later.data for later in chunks[number:])
        words = f"logs() from the cursor {chunk.cursor!r} must give what follows chunk {number}"
        assert rest == due, f"{words}: {due[:80]!r}, not {rest[:80]!r}"


async def forget_may_be_repeated(harness: Harness) -> None:
    """An ended job can be forgotten, and forgetting it again is no error."""
    key, handle, _ = await harness.end(harness.quick_request())
    await harness.provider.forget(key, handle)
    await harness.provider.forget(key, handle)
    if harness.can_tell:
        found = await harness.find(key)
        assert isinstance(found, Absent), f"find() of a job that was forgotten must be ABSENT, not {_shown(found)}"


async def jobs_survive_our_restart(harness: Harness) -> None:
    """A second provider with the same outside finds the job, and can end it."""
    if not harness.provider.capabilities.survives_our_restart or harness.reopen is None:
        return
    key, submitted = await harness.submit(harness.long_request())
    await harness.provider.aclose()
    second = attrs.evolve(harness, provider=harness.reopen())
    if harness.can_tell:
        found = await second.find(key)
        words = "survives_our_restart says that a second provider finds the job"
        assert isinstance(found, Submitted), f"{words}, but find() answered {_shown(found)}"
        assert found.handle == submitted.handle, f"{words} under its handle {submitted.handle}, not {found.handle}"
    await _stop(second, key, submitted.handle)
    await second.provider.aclose()


async def aclose_may_be_repeated(harness: Harness) -> None:
    """Closing a provider twice is no error."""
    await harness.provider.aclose()
    await harness.provider.aclose()


def _json_fault(body: object) -> str | None:
    """Return why JSON cannot hold ``body``, or None if it can."""
    try:
        orjson.dumps(body, default=_as_plain)
    except TypeError as error:
        return f"{error} in {body!r:.200}"
    return None


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")


def _shown(answer: object) -> str:
    """Return an answer as it is written in code."""
    return answer.name if isinstance(answer, enum.Enum) else type(answer).__name__


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
