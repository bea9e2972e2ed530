"""When a cancel is sent to a provider, and when it is looked whether the job goes on (B14)."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime
from typing import Any

import pytest
import trio

from actors.jobs.records import Job, JobStatus, QueueStatus, Submission, SubmissionState
from actors.jobs.retry import FailureKind
from actors.ledger.queries import InFlight
from actors.poller.cancels import Cancels
from actors.providers.base import CancelAck
from actors.providers.breaker import BreakerOpen
from actors.providers.guard import Failure
from actors.testing import request

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = Failure(FailureKind.OTHER, "not understood")


class Provider:
    """Answers each cancel with the next of ``answers``, the last one again and again."""

    name = "other"

    def __init__(self, *answers: CancelAck | Failure) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    async def cancel(self, key: str, handle: Any) -> CancelAck | Failure:
        await trio.lowlevel.checkpoint()
        self.asked.append((key, handle))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def row(key: str, *, unwanted: bool = True) -> InFlight:
    asked = NOW if unwanted else None
    job = Job(key, JobStatus.RUNNING, "other", "c" * 32, request(), NOW, NOW, cancel_requested_at=asked)
    return InFlight(Submission(key, key, "t", SubmissionState.HANDED, NOW, handle={"n": key}), job, QueueStatus.RUNNING)


def cancels(*answers: CancelAck | Failure) -> tuple[Cancels, Provider]:
    provider = Provider(*answers)
    return Cancels(provider), provider  # type: ignore[arg-type]


async def test_a_cancel_is_sent_once_to_each_job_whose_end_was_asked_for(autojump_clock: Any) -> None:
    sending, provider = cancels(CancelAck.ACCEPTED)
    unwanted, wanted = row("a"), row("b", unwanted=False)
    assert sending.next_due == math.inf
    assert sending.unsent([unwanted, wanted]) == [unwanted]
    await sending.send(unwanted)
    assert provider.asked == [("a", {"n": "a"})]
    await trio.sleep(1_000)
    assert sending.unsent([unwanted, wanted]) == []


async def test_after_an_acceptance_it_is_looked_whether_the_job_goes_on_ever_later_up_to_a_minute(
    autojump_clock: Any,
) -> None:
    sending, _ = cancels(CancelAck.ACCEPTED)
    job, gaps = row("a"), []
    for _ in range(8):
        await sending.send(job)
        assert sending.to_look_at([job]) == []
        gaps.append(sending.next_due - trio.current_time())
        await trio.sleep(gaps[-1])
        assert sending.to_look_at([job, row("b", unwanted=False)]) == [job]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_what_could_not_be_read_is_looked_at_later(autojump_clock: Any) -> None:
    sending, _ = cancels(CancelAck.ACCEPTED)
    job = row("a")
    await sending.send(job)
    await trio.sleep(1)
    sending.put_off([job])
    assert (sending.to_look_at([job]), sending.unsent([job])) == ([], [])
    await trio.sleep(2)
    assert sending.to_look_at([job]) == [job]


async def test_a_cancel_that_failed_is_sent_again_without_a_look(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    sending, _ = cancels(FAILED, CancelAck.ACCEPTED)
    job = row("a")
    await sending.send(job)
    assert sending.unsent([job]) == []
    await trio.sleep(1)
    assert (sending.unsent([job]), sending.to_look_at([job])) == ([job], [])
    await sending.send(job)
    await trio.sleep(2)
    assert (sending.unsent([job]), sending.to_look_at([job])) == ([], [job])
    assert [(one.levelname, one.message) for one in caplog.records] == [
        ("DEBUG", "Job a: could not be cancelled yet: not understood")
    ]


@pytest.mark.parametrize(("retry_after", "wait"), [(40.0, 40), (None, 1)])
async def test_what_an_open_breaker_kept_back_is_sent_when_it_closes_and_counts_for_nothing(
    autojump_clock: Any, retry_after: float | None, wait: float
) -> None:
    kept_back = Failure(FailureKind.OTHER, "left alone", retry_after=retry_after, cause=BreakerOpen("other", 40.0))
    sending, _ = cancels(kept_back, CancelAck.ACCEPTED)
    job = row("a")
    await sending.send(job)
    assert sending.next_due - trio.current_time() == wait
    await trio.sleep(wait)
    assert sending.unsent([job]) == [job]
    await sending.send(job)
    assert sending.next_due - trio.current_time() == 1


async def test_a_provider_that_cannot_cancel_is_warned_of(
    autojump_clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "actors.poller")
    sending, _ = cancels(CancelAck.NOT_SUPPORTED)
    await sending.send(row("a"))
    assert [(one.levelname, one.message, one.funcName) for one in caplog.records] == [
        ("WARNING", "Job a: provider other cannot cancel; the job goes on to its end", "send")
    ]


async def test_jobs_that_have_ended_are_forgotten(autojump_clock: Any) -> None:
    sending, _ = cancels(CancelAck.ACCEPTED)
    ended, running = row("a"), row("b")
    for job in (ended, running):
        await sending.send(job)
    sending.keep({"b"})
    assert (sending.unsent([ended, running]), sending.next_due) == ([ended], trio.current_time() + 1)
    sending.keep(set())
    assert sending.next_due == math.inf
