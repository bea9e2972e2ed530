"""When it may be said that a submission surely did not arrive, and which of two jobs of one key is the job."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trio

from actors.jobs.ids import IdFactory, submission_key
from actors.providers.base import ABSENT, UNKNOWABLE
from actors.providers.errors import ProviderError, Unavailable
from actors.providers.slurm.commands import Answer
from actors.providers.slurm.finding import Adopted, Finder, chosen
from actors.providers.slurm.records import Exit, Known, Records, Start
from actors.providers.slurm.squeue import SlurmJob
from tests.providers.slurm.answers import NOW, Canned, finder_at, line


def key_made(at: datetime) -> str:
    return submission_key(IdFactory().new(at), 0)


KEY = key_made(NOW + timedelta(seconds=1))


class Clock:
    """The time in UTC beside a mock clock."""

    def __init__(self) -> None:
        self._began = trio.current_time()

    def __call__(self) -> datetime:
        return NOW + timedelta(seconds=2 + trio.current_time() - self._began)


def at(path: Path, canned: Canned) -> tuple[Finder, Records]:
    return finder_at(path, canned, Clock())


async def found(finder: Finder, key: str = KEY) -> Adopted:
    answer = await finder.find(key, "t")
    assert isinstance(answer, Adopted)
    return answer


async def test_a_key_without_an_intent_was_never_submitted(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned()
    finder, _ = at(tmp_path, canned)
    assert await finder.find(KEY, "t") is ABSENT
    assert canned.calls == []


async def test_a_directory_that_is_younger_than_the_job_proves_nothing(tmp_path: Path, autojump_clock: object) -> None:
    finder, _ = at(tmp_path, Canned())
    assert await finder.find(key_made(NOW - timedelta(days=1)), "t") is UNKNOWABLE
    with pytest.raises(ProviderError, match="does not show it for another 60 s"):
        await finder.find(key_made(NOW - timedelta(seconds=1)), "t")


async def test_slurm_is_asked_twice_and_absent_after_apart(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned()
    finder, records = at(tmp_path, canned)
    records.begin(KEY, "t", NOW)
    for wait in (0, 30, 29):
        await trio.sleep(wait)
        with pytest.raises(ProviderError, match="Slurm does not show it"):
            await finder.find(KEY, "t")
    await trio.sleep(1)
    assert await finder.find(KEY, "t") is ABSENT
    assert records.known(KEY, NOW) == Known()  # so that the next submission begins anew
    assert len(canned.named("squeue")) == 4


async def test_a_job_that_appears_after_the_first_absence_is_adopted(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned()
    finder, records = at(tmp_path, canned)
    records.begin(KEY, "t", NOW)
    with pytest.raises(ProviderError):
        await finder.find(KEY, "t")
    await trio.sleep(61)
    canned.squeue = line(7, "PENDING", KEY)
    assert (await found(finder)).job_id == 7


async def test_what_does_not_answer_is_no_absence(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned(fails={"squeue": Unavailable("timed out")})
    finder, records = at(tmp_path, canned)
    records.begin(KEY, "t", NOW)
    for _ in range(3):
        await trio.sleep(61)
        with pytest.raises(Unavailable):
            await finder.find(KEY, "t")
    canned.fails.clear()
    (records.directory / "greenroom.json").unlink()
    with pytest.raises(Unavailable, match="is its file system mounted"):
        await finder.find(KEY, "t")


async def test_while_an_sbatch_lives_nothing_is_absent(tmp_path: Path, autojump_clock: object) -> None:
    finder, records = at(tmp_path, Canned())
    records.begin(KEY, "t", NOW)
    with records.locked(KEY):
        for _ in range(3):
            await trio.sleep(61)
            with pytest.raises(ProviderError, match="still under way"):
                await finder.find(KEY, "t")
    with pytest.raises(ProviderError, match="does not show it for another 60 s"):
        await finder.find(KEY, "t")


async def test_an_intent_older_than_min_job_age_cannot_be_known(tmp_path: Path, autojump_clock: object) -> None:
    finder, records = at(tmp_path, Canned())
    records.begin(KEY, "t", NOW)
    await trio.sleep(300)
    assert await finder.find(KEY, "t") is UNKNOWABLE


async def test_accounting_tells_of_an_older_one(tmp_path: Path, autojump_clock: object) -> None:
    canned = Canned(sacct=Answer(0, "", ""))
    finder, records = at(tmp_path, canned)
    records.begin(KEY, "t", NOW)
    await trio.sleep(300)
    directory = records.directory / "jobs" / KEY
    canned.sacct = Answer(0, f"9|CANCELLED by 0|0:0|Unknown|2026-03-01T11:00:00|None assigned|{directory}\n", "")
    assert (await found(finder)).job_id == 9
    canned.sacct = Answer(0, f"9|COMPLETED|0:0|x|y|n1|{directory}-other\n\nnonsense\n", "")
    assert await finder.find(KEY, "t") is ABSENT


async def test_a_start_record_or_a_number_that_was_written_down_is_proof_enough(
    tmp_path: Path, autojump_clock: object
) -> None:
    finder, records = at(tmp_path, Canned())
    records.accepted(KEY, "t", NOW, 7)
    assert (await found(finder)).job_id == 7
    records.withdraw(KEY)
    (records.directory / f"{KEY}.started").mkdir()
    assert (await found(finder)).job_id is None


async def test_a_submission_of_another_token_is_not_ours(tmp_path: Path, autojump_clock: object) -> None:
    finder, records = at(tmp_path, Canned())
    records.begin(KEY, "theirs", NOW)
    assert await finder.find(KEY, "ours") is UNKNOWABLE


async def test_of_two_jobs_the_earlier_is_adopted_and_the_later_cancelled(
    tmp_path: Path, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    canned = Canned(squeue="\n".join([line(9, "PENDING", KEY), line(7, "PENDING", KEY)]))
    finder, records = at(tmp_path, canned)
    records.begin(KEY, "t", NOW)
    with caplog.at_level(logging.WARNING):
        assert (await found(finder)).job_id == 7
    assert canned.named("scancel") == [["--state=PENDING", "9"]]
    assert "Two Slurm jobs have the key" in caplog.text


def job(number: int, state: str) -> SlurmJob:
    return SlurmJob(number, state, KEY)


@pytest.mark.parametrize(
    ("jobs", "known", "expected"),
    [
        ([], Known(), None),
        ([job(7, "PENDING"), job(9, "PENDING")], Known(), 7),
        ([job(7, "PENDING"), job(9, "RUNNING")], Known(), 9),  # it is about to make the start record
        ([job(7, "FAILED"), job(9, "PENDING")], Known(), 9),
        ([job(7, "RUNNING"), job(9, "RUNNING")], Known(start=Start(9)), 9),
        ([job(7, "FAILED"), job(9, "COMPLETED")], Known(exit=Exit(0, 9)), 9),
        ([job(7, "FAILED")], Known(start=Start(9)), None),  # a second start; the first one is not shown any more
    ],
)
def test_the_job_is_the_one_that_runs_the_program(jobs: list[SlurmJob], known: Known, expected: int | None) -> None:
    found = chosen(jobs, known)
    assert (found.job_id if found is not None else None) == expected
