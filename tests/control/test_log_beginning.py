"""Where an output begins that is asked for by its last lines or by a time, at any provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from actors.control import log_beginning
from actors.control.log_beginning import Beginning, beginning, first_lines
from actors.control.log_place import LogPlace
from actors.jobs.records import Job, JobRequest, JobStatus, QueueEntry, QueueStatus, Submission, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import FailureKind
from actors.jobs.views import JobView
from actors.providers.guard import Failure
from actors.providers.log_notices import notice

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PIECES = [b"one\ntw", b"o\nthree\n", b"four"]


@attrs.frozen
class FakeProvider:
    """One that seeks or does not."""

    seeks_logs: bool = False
    place: Any = None

    async def log_cursor(self, _key: str, _handle: Any, *, lines: int | None, since: datetime | None) -> Any:
        return f"{lines} {since}" if self.place is None else self.place


@attrs.frozen
class FakeContext:
    providers: dict[str, FakeProvider]


def view(*, started: datetime | None = NOON, ended: datetime | None = None, handed: bool = True) -> JobView:
    status = JobStatus.RUNNING if ended is None else JobStatus.COMPLETED
    job = Job("j", status, "far", "c", JobRequest(), NOON, NOON, started_at=started, completed_at=ended)
    entry = QueueEntry("j", QueueStatus.RUNNING, 0, None, NOON, 1)
    submission = Submission("j", "j-1", "t", SubmissionState.HANDED, NOON, handle={"id": 1}) if handed else None
    return JobView(job, entry, QueueStatus.RUNNING, submission=submission)


async def read() -> AsyncIterator[tuple[bytes, str]]:
    for number, piece in enumerate(PIECES):
        yield piece, str(number)


async def begin(seen: JobView, lines: int | None = None, since: datetime | None = None, **provider: Any) -> Beginning:
    context: Any = FakeContext({"far": FakeProvider(**provider)})
    place = LogPlace(None, None, None, view=seen, submission=seen.submission)
    return await beginning(context, seen, place, read, lines, since)


@pytest.mark.parametrize(
    ("lines", "head"),
    [(0, b""), (1, b"four"), (2, b"three\nfour"), (3, b"two\nthree\nfour"), (4, b"one\ntwo\nthree\nfour"), (9, None)],
)
async def test_last_lines_of_a_provider_that_cannot_seek_are_read_from_the_beginning(
    lines: int, head: bytes | None
) -> None:
    """And what follows goes on from the cursor of what was read."""
    expected = b"".join(PIECES) if head is None else head
    assert await begin(view(), lines) == Beginning(expected, "2")


async def test_they_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_beginning, "MOST_BYTES", 7)
    assert await begin(view(), 100) == Beginning(b"ee\nfour", "2")


async def test_a_provider_that_seeks_gives_the_cursor() -> None:
    assert await begin(view(), 3, NOON + HOUR, seeks_logs=True) == Beginning(cursor=f"3 {NOON + HOUR}")
    with pytest.raises(Refused, match="it is down"):
        await begin(view(), 3, seeks_logs=True, place=Failure(FailureKind.UNAVAILABLE, "it is down"))


async def test_a_time_before_the_start_is_all_of_it_at_every_provider() -> None:
    assert await begin(view(), since=NOON) == Beginning()
    assert await begin(view(), 1, NOON - HOUR) == Beginning(b"four", "2")
    assert await begin(view(handed=False), since=NOON + HOUR) == Beginning()


async def test_a_time_after_the_end_is_nothing_of_it() -> None:
    assert await begin(view(ended=NOON + HOUR), since=NOON + 2 * HOUR) == Beginning(nothing=True)


async def test_a_time_in_between_is_refused_where_it_is_not_known_when_output_came() -> None:
    with pytest.raises(Refused, match=r"is not known \(provider far\); give a number of lines") as refused:
        await begin(view(ended=NOON + 2 * HOUR), 5, NOON + HOUR)
    assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "since")


@pytest.mark.parametrize(
    ("head", "lines", "expected"),
    [
        (b"", None, b"one\ntwo\nthree\nfour"), (b"", 0, b""), (b"", 1, b"one\n"), (b"", 2, b"one\ntwo\n"),
        (b"zero\n", 2, b"zero\none\n"), (b"zer", 1, b"zerone\n"), (b"zero\n", 1, b"zero\n"),
        (b"", 9, b"one\ntwo\nthree\nfour"),
    ],
)  # fmt: skip
async def test_of_an_output_that_grows_no_more_lines_are_given_than_asked_for(
    head: bytes, lines: int | None, expected: bytes
) -> None:
    async with aclosing(read()) as pieces:
        assert b"".join([data async for data in first_lines(head, pieces, lines)]) == expected


async def test_a_notice_among_the_lines_is_none_of_them() -> None:
    async def noticed() -> AsyncIterator[tuple[bytes, str]]:
        yield notice("shorter"), "0"
        yield b"one\ntwo\n", "1"
        yield notice("again"), "2"

    async with aclosing(noticed()) as pieces:
        shown = b"".join([data async for data in first_lines(b"", pieces, 1)])
    assert shown == notice("shorter") + b"one\n"
