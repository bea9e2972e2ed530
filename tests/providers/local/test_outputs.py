"""What a job leaves is untrusted: read within bounds, kept only where it is a JSON object, warned of once."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from actors.providers.last_words import REASON_LENGTH
from actors.providers.local.directory import JobDirectory
from actors.providers.local.outputs import MAX_RESULT, Outputs, last_line
from actors.providers.local.progress import MAX_LINE


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    return JobDirectory(tmp_path)


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


BIG = json.dumps({"x": "y" * MAX_LINE})


@pytest.mark.parametrize(
    ("text", "progress", "warning"),
    [
        ("", None, None),
        ('{"step": 1}\n{"step": 2}\n', {"step": 2}, None),
        ('{"step": 1}\n{"step": 2', {"step": 1}, None),
        ('{"step": 1}\n{"step": 2}', {"step": 2}, None),
        ('{"step": 1}\n\n  \n', {"step": 1}, None),
        ('{"step": 1}\n[1]\n', {"step": 1}, "a progress line that is not a JSON object was ignored"),
        ('{"step": 1}\nnan\n', {"step": 1}, "a progress line that is not a JSON object was ignored"),
        (f'{{"step": 1}}\n{BIG}\n', {"step": 1}, "a progress line longer than 16 KiB was ignored"),
        (f'{{"step": 1}}\n{BIG}', {"step": 1}, "a progress line longer than 16 KiB was ignored"),
        (BIG * 9, None, "a progress line longer than 16 KiB was ignored"),
        ('{"old": 1}\n' * 9000 + '{"new": 1}\n', {"new": 1}, None),
        ("[" * 9000, None, None),
    ],
)
def test_progress_is_the_last_line_that_can_be_kept(
    directory: JobDirectory,
    caplog: pytest.LogCaptureFixture,
    text: str,
    progress: dict[str, int] | None,
    warning: str | None,
) -> None:
    """A line that is still being written is not waited for and not complained of."""
    directory.progress.write_text(text)
    outputs = Outputs()
    assert [outputs.progress(directory, "job-1") for _ in range(2)] == [progress, progress]
    assert [line.split("job-1: ")[1] for line in warned(caplog)] == ([warning] if warning else [])
    assert all("job_id" in vars(record) for record in caplog.records)


@pytest.mark.parametrize(
    ("data", "result", "warning"),
    [
        (b'{"loss": 0.5}\n', {"loss": 0.5}, None),
        (b"", None, None),
        (b"0.5", None, "a result that is not a JSON object was ignored"),
        (b"\xff", None, "a result that is not a JSON object was ignored"),
        (b'{"x": "' + b"y" * MAX_RESULT + b'"}', None, "a result larger than 1 MiB was ignored"),
    ],
)
def test_a_result_is_one_object_of_bounded_size(
    directory: JobDirectory,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    result: dict[str, float] | None,
    warning: str | None,
) -> None:
    directory.result.write_bytes(data)
    assert Outputs().result(directory, "job-1") == result
    assert [line.split("job-1: ")[1] for line in warned(caplog)] == ([warning] if warning else [])


def test_nothing_but_a_plain_file_is_read(directory: JobDirectory) -> None:
    """A link could show another's file, a pipe would never end, a folder is none."""
    secret = directory.path / "secret"
    secret.write_text('{"key": 1}')
    directory.result.symlink_to(secret)
    os.mkfifo(directory.progress)
    directory.log.mkdir()
    outputs = Outputs()
    assert (outputs.result(directory, "j"), outputs.progress(directory, "j"), last_line(directory)) == (
        None,
        None,
        "",
    )


def test_a_forgotten_job_may_be_warned_of_again(directory: JobDirectory, caplog: pytest.LogCaptureFixture) -> None:
    directory.result.write_text("1")
    outputs = Outputs()
    outputs.result(directory, "j")
    outputs.forget(directory.key)
    outputs.result(directory, "j")
    assert len(warned(caplog)) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a\nb\n\n \n", "b"),
        (b"tab\there\x07", "tab here"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xff\xfe", ""),
        (b"x" * 9999, "x" * (REASON_LENGTH - 1) + "…"),
        (b'{"level": "ERROR", "message": "diverged\\nin epoch 2"}\n', "diverged in epoch 2"),
        (b'epoch 1\n{"event": "no such file", "level": "error"}\n', "no such file"),
        (b'{"loss": 0.5}\n', '{"loss": 0.5}'),
        (b'{"message": "cut', '{"message": "cut'),
    ],
)
def test_the_last_line_is_printable_and_short(directory: JobDirectory, data: bytes, words: str) -> None:
    directory.log.write_bytes(data)
    assert last_line(directory) == words
