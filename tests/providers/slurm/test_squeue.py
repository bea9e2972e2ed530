"""What squeue prints is read as data, whatever other people's comments hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.providers.slurm.accounting import ending_of
from actors.providers.slurm.squeue import Shown, SlurmJob, job_id_of, jobs_of, time_of
from actors.providers.slurm.statuses import Ending
from tests.providers.slurm.answers import line


def test_a_line_is_a_job_with_its_key() -> None:
    (job,) = jobs_of(line(7, "PENDING", "k-1", reason="Resources"))
    assert job == SlurmJob(7, "PENDING", "k-1", "Resources", datetime(2026, 3, 1, 11, tzinfo=UTC))
    (running,) = jobs_of(line(8, "RUNNING", "k-1", nodes="n[1-3]"))
    assert (running.reason, running.nodes) == ("", "n[1-3]")


@pytest.mark.parametrize("number", ["123_4", "123_[5-9]", "123+1", "0", "-1", "", "9" * 30, "7x"])
def test_ids_of_arrays_and_of_nothing_are_ignored(number: str) -> None:
    assert list(jobs_of(line(number, "RUNNING", "k-1"))) == []


@pytest.mark.parametrize("text", ["", "|", "7|RUNNING", "slurm_load_jobs error: Socket timed out", "7|run ning|||||k"])
def test_what_is_no_line_is_left_out(text: str) -> None:
    assert list(jobs_of(f"{text}\n{line(9, 'RUNNING', 'k-9')}\n{text}")) == list(jobs_of(line(9, "RUNNING", "k-9")))


@pytest.mark.parametrize("comment", ["", "(null)", "a b", "x|y", "../../etc", "k" * 201, "\x1b[31m", "é"])
def test_a_comment_that_cannot_be_a_key_makes_no_job_of_ours(comment: str) -> None:
    shown = Shown.of(line(7, "RUNNING", comment))
    assert [job.key for job in shown.of_key(comment.strip())] in ([], [""])
    assert shown.of_key("k-1", 7)[0].job_id == 7  # a person may say that it is the job


def test_a_job_of_another_key_is_not_taken_by_its_number() -> None:
    assert list(Shown.of(line(7, "RUNNING", "k-2")).of_key("k-1", 7)) == []


def test_jobs_of_one_key_come_the_earliest_first_and_each_once() -> None:
    text = "\n".join([line(12, "PENDING", "k"), line(9, "RUNNING", "k"), line(12, "RUNNING", "k")])
    assert [(job.job_id, job.state) for job in Shown.of(text).of_key("k")] == [(9, "RUNNING"), (12, "RUNNING")]


def test_a_reason_is_printable_and_short() -> None:
    (job,) = jobs_of(line(7, "PENDING", "k", reason="\x1b[31mBad\x07" + "x" * 500))
    assert job.reason.startswith("[31mBadx")
    assert len(job.reason) == 200


@given(st.text(max_size=300))
def test_no_text_is_misread(text: str) -> None:
    for job in jobs_of(text):
        assert job.job_id > 0
        assert "|" not in job.key


@pytest.mark.parametrize(("text", "expected"), [("7", 7), (7, 7), (True, None), (None, None), (0, None), ({}, None)])
def test_a_handle_may_hold_anything(text: object, expected: int | None) -> None:
    assert job_id_of(text) == expected


@pytest.mark.parametrize("text", ["N/A", "NONE", "Unknown", "", "2026-13-01T00:00:00", "now"])
def test_a_time_that_is_none(text: str) -> None:
    assert time_of(text) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("7:0", Ending(7)), ("0:15", Ending(None, 15)), ("0:0", Ending(0)), ("x", Ending())]
)
def test_an_exit_code_as_slurm_writes_it(text: str, expected: Ending) -> None:
    assert ending_of(text) == expected
