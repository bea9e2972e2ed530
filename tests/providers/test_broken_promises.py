"""A provider that breaks one promise is told in words which one, and what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from actors.jobs.records import JobRequest, Phase
from actors.kernel import VirtualClock
from actors.providers.base import ABSENT, UNKNOWABLE, CancelAck, Idempotency, Prepared, Submitted
from actors.providers.errors import NotFound
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.testing.conformance import Harness, MakeHarness, provider_conformance
from actors.testing.provider_promises import PROMISES
from tests.providers.broken_providers import (
    AcceptsAnything,
    AlwaysNew,
    AlwaysThere,
    BodyChanges,
    CancelKills,
    CapacityShrinks,
    EndsWander,
    ForgetsOnce,
    HandlesDiffer,
    LogsAreEmpty,
    LogsRepeat,
    SeesNothing,
    SeesStrangers,
    SeesTheFirst,
    UnknownRuns,
    answering,
    having,
    observing,
    viewing,
    without_zone,
)

CANNOT_TELL = ScriptedOptions(idempotency=Idempotency.NONE)


def request(**spec: Any) -> JobRequest:
    return JobRequest(provider="scripted", spec=spec)


def harness_of(
    provider: type[ScriptedProvider], options: ScriptedOptions, again: type[ScriptedProvider] | None
) -> MakeHarness:
    @asynccontextmanager
    async def make() -> AsyncIterator[Harness]:
        remote = ScriptedRemote(VirtualClock().now)
        yield Harness(
            provider(options, remote),
            quick_request=lambda: request(duration=2, progress=2),
            long_request=lambda: request(duration=100_000, queue_time=1),
            failing_request=lambda: request(duration=1, result="failed", error="out of memory"),
            wait_change=partial(trio.sleep, 0.5),
            wrong_request=lambda: request(duratoin=1),
            wrong_field="spec.duratoin",
            reopen=lambda: (again or provider)(options, remote),
            unknown_handle={"run": "run-0"},
        )

    return make


BROKEN: list[tuple[type[ScriptedProvider], ScriptedOptions, str, str]] = [
    (BodyChanges, ScriptedOptions(), "prepare_is_pure", "gave two bodies for one request"),
    (having(prepare=Prepared({"made": NotFound})), ScriptedOptions(), "prepare_is_pure", "a body that JSON can hold"),
    (AcceptsAnything, ScriptedOptions(), "prepare_names_the_wrong_field", "accepted the wrong request"),
    (CapacityShrinks, ScriptedOptions(), "capacity_is_data", "must give the same twice"),
    (having(capacity="plenty"), ScriptedOptions(), "capacity_is_data", "must return a Capacity at once, not 'plenty'"),
    (observing(lambda one: attrs.evolve(one, phase=Phase.FAILED)), ScriptedOptions(), "a_job_runs_to_success",
     "must end as SUCCEEDED, not FAILED"),
    (observing(lambda one: attrs.evolve(one, started_at=None)), ScriptedOptions(), "a_job_runs_to_success",
     "must have started_at"),
    (observing(lambda one: attrs.evolve(one, completed_at=None)), ScriptedOptions(), "a_job_runs_to_success",
     "must have completed_at"),
    (observing(without_zone), ScriptedOptions(), "a_job_runs_to_success", "started_at must have a time zone"),
    (observing(lambda one: attrs.evolve(one, started_at=one.completed_at, completed_at=one.started_at)),
     ScriptedOptions(), "a_job_runs_to_success", "started_at must not be after completed_at"),
    (observing(lambda one: attrs.evolve(one, phase=Phase.SUCCEEDED)), ScriptedOptions(), "a_failed_job_says_why",
     "must end as FAILED, not SUCCEEDED"),
    (observing(lambda one: attrs.evolve(one, error=None, exit_code=None)), ScriptedOptions(), "a_failed_job_says_why",
     "must have an error or an exit_code"),
    (EndsWander, ScriptedOptions(), "an_end_stays", "completed_at of an ended job must stay as it was"),
    (AlwaysNew, ScriptedOptions(), "the_same_key_is_one_job", "under a known key must say existed=True"),
    (AlwaysThere, ScriptedOptions(), "the_same_key_is_one_job", "a new key must say existed=False"),
    (HandlesDiffer, ScriptedOptions(), "the_same_key_is_one_job", "one key must have one handle"),
    (AlwaysThere, ScriptedOptions(), "submissions_at_once_under_one_key_are_one_job", "one must have made"),
    (HandlesDiffer, ScriptedOptions(), "submissions_at_once_under_one_key_are_one_job", "made several jobs"),
    (answering(find=ABSENT), ScriptedOptions(), "a_lost_answer_is_settled_by_find", "must return the job that was"),
    (HandlesDiffer, ScriptedOptions(), "a_lost_answer_is_settled_by_find", "find() gave"),
    (answering(find=ABSENT), CANNOT_TELL, "a_lost_answer_is_settled_by_find", "must answer UNKNOWABLE"),
    (answering(find=UNKNOWABLE), ScriptedOptions(), "an_unknown_key_is_surely_absent", "must be ABSENT, not"),
    (answering(find=ABSENT), CANNOT_TELL, "an_unknown_key_is_surely_absent", "must answer UNKNOWABLE"),
    (viewing(complete=False), ScriptedOptions(), "many_jobs_in_one_look", "must return a complete view"),
    (SeesTheFirst, ScriptedOptions(), "many_jobs_in_one_look", "left out ['conformance-2'"),
    (SeesStrangers, ScriptedOptions(), "many_jobs_in_one_look", "has ['stranger'], which were not asked about"),
    (observing(lambda one: attrs.evolve(one, phase=Phase.FAILED)), ScriptedOptions(), "many_jobs_in_one_look",
     "must end as SUCCEEDED, not FAILED"),
    (SeesNothing, ScriptedOptions(), "a_job_runs_to_success", "must have the job conformance-1, which was submitted"),
    (SeesStrangers, ScriptedOptions(), "a_look_at_nothing_is_empty", "must observe nothing"),
    (viewing(absent=frozenset({"s"})), ScriptedOptions(), "a_look_at_nothing_is_empty", "must call nothing absent"),
    (UnknownRuns, ScriptedOptions(), "an_unknown_handle_is_no_error", "must have an unknown handle in absent"),
    (answering(cancel=CancelAck.ACCEPTED), ScriptedOptions(), "an_unknown_handle_is_no_error",
     "must answer UNKNOWN_JOB, not ACCEPTED"),
    (answering(cancel=CancelAck.NOT_SUPPORTED), ScriptedOptions(), "cancel_ends_a_job_and_may_be_repeated",
     "must answer ACCEPTED or ALREADY_TERMINAL, not NOT_SUPPORTED"),
    (answering(cancel=CancelAck.ACCEPTED), ScriptedOptions(), "cancel_ends_a_job_and_may_be_repeated",
     "waited 120 s for the job conformance-1 to be CANCELED or"),
    (CancelKills, ScriptedOptions(), "cancel_ends_a_job_and_may_be_repeated", "must end as CANCELED, not FAILED"),
    (CancelKills, ScriptedOptions(), "cancel_at_once_ends_a_job", "surely ends as CANCELED, not FAILED"),
    (answering(cancel=CancelAck.ACCEPTED), ScriptedOptions(), "cancel_changes_no_end",
     "must answer ALREADY_TERMINAL, not ACCEPTED"),
    (CancelKills, ScriptedOptions(), "cancel_changes_no_end", "changed the end of a job from SUCCEEDED to FAILED"),
    (LogsAreEmpty, ScriptedOptions(), "logs_go_on_from_a_cursor", "the quick request must write something"),
    (LogsRepeat, ScriptedOptions(), "logs_go_on_from_a_cursor", "must give what follows chunk 1"),
    (ForgetsOnce, ScriptedOptions(), "forget_may_be_repeated", "there is no such job"),
    (answering(forget=None), ScriptedOptions(), "forget_may_be_repeated", "that was forgotten must be ABSENT"),
    (answering(submit=Submitted({"run": "run-0"})), ScriptedOptions(), "a_failed_job_says_why", "which was submitted"),
]  # fmt: skip


def test_each_promise_that_can_be_broken_in_an_answer_is_broken_here() -> None:
    others = {"aclose_may_be_repeated", "jobs_survive_our_restart"}
    assert {name for _, _, name, _ in BROKEN} | others == {promise.__name__ for promise in PROMISES}


@pytest.mark.parametrize(
    ("provider", "options", "name", "words"),
    [pytest.param(*one, id=f"{one[2]}-{number}") for number, one in enumerate(BROKEN)],
)
async def test_a_broken_promise_says_what_is_missing(
    autojump_clock: MockClock, provider: type[ScriptedProvider], options: ScriptedOptions, name: str, words: str
) -> None:
    (check,) = [one for one in provider_conformance(harness_of(provider, options, None)) if str(one) == name]
    with pytest.raises((AssertionError, NotFound)) as caught:
        await check()
    assert words in str(caught.value)
    assert "waited" in str(caught.value) or caught.value.__notes__[0].startswith(f"the promise {name}: ")


async def test_a_provider_that_forgets_its_jobs_at_a_restart_is_told_so(autojump_clock: MockClock) -> None:
    again = answering(find=ABSENT)
    checks = provider_conformance(harness_of(ScriptedProvider, ScriptedOptions(), again))
    (check,) = [one for one in checks if str(one) == "jobs_survive_our_restart"]
    with pytest.raises(AssertionError, match="a second provider finds the job, but find\\(\\) answered Absent"):
        await check()
