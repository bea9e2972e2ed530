"""Log files: their modes, followed when they move, rotated, and what is refused."""

from __future__ import annotations

import gzip
import json
import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from logconf import configure_structured_logging, flush, get_logger
from logconf.sinks import FileSink

PATIENCE = 60.0  # seconds until a test gives up; none waits for time to pass


def messages(path: Path) -> list[str]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    return [json.loads(line)["message"] for line in text.splitlines()]


def configured(path: Path, **options: Any) -> logging.Logger:
    configure_structured_logging(log_file=path, stream=None, **options)
    return get_logger("tests.writer")


def test_the_file_and_its_directory_are_made_with_tight_modes(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        path = tmp_path / "a" / "b" / "cloud.log"
        configured(path).info("x")
        flush()
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path, replaced: bool) -> None:
    """Where another file has taken its place, as logrotate's `create` does, the path leads to that one."""
    path = tmp_path / "cloud.log"
    logger = configured(path)
    logger.info("before")
    flush()
    path.rename(tmp_path / "cloud.log.1")
    if replaced:
        path.touch()
    logger.info("after")
    flush()
    assert messages(tmp_path / "cloud.log.1") == ["before"]
    assert messages(path) == ["after"]


def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "cloud.log"
    logger = configured(path)
    logger.info("before")
    flush()
    path.unlink()
    path.parent.rmdir()
    logger.info("after")
    flush()
    assert messages(path) == ["after"]


def test_a_file_that_cannot_be_opened_anew_goes_on_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    logger = configured(path)
    logger.info("before")
    flush()
    path.rename(tmp_path / "moved")
    path.mkdir()
    logger.info("after")
    flush()
    assert messages(tmp_path / "moved") == ["before", "after"]


def test_a_file_is_opened_anew_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where its path still leads to it: once, before the next line."""
    sink = FileSink(tmp_path / "cloud.log")
    opened: list[object] = []
    original = os.open
    monkeypatch.setattr(os, "open", lambda *details: opened.append(details) or original(*details))
    for _ in range(2):
        sink.request_reopen()
        sink.write(b"x\n")
        sink.write(b"y\n")
    assert len(opened) == 2
    assert (tmp_path / "cloud.log").read_bytes() == b"x\ny\n" * 2


def test_configuring_again_leaks_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    for _ in range(7):
        configured(path).info("x")
    flush()
    deadline = time.monotonic() + PATIENCE
    while (count := open_files().count(path)) > 1 and time.monotonic() < deadline:
        flush()  # lets the threads of replaced handlers end, which close their files
    assert count == 1


def open_files() -> list[Path]:
    """What the descriptors of this process lead to."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself, and what other threads close
            found.append(descriptor.readlink())
    return found


def test_rotation_by_size_keeps_whole_lines_and_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    logger = configured(path, max_bytes=2_000, backup_count=100)
    for number in range(100):
        logger.info("line %d", number)
    flush()
    rotated = sorted(tmp_path.glob("cloud.log.*"), key=lambda file: -int(file.suffix[1:]))
    assert len(rotated) > 5
    assert [message for file in [*rotated, path] for message in messages(file)] == [f"line {n}" for n in range(100)]
    assert all(file.stat().st_size <= 2_000 for file in [*rotated, path])


def test_rotation_keeps_as_many_files_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    logger = configured(path, max_bytes=1_000, backup_count=2)
    for number in range(100):
        logger.info("line %d", number)
    flush()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cloud.log", "cloud.log.1", "cloud.log.2"]
    assert messages(path)[-1] == "line 99"


def test_a_file_that_was_moved_away_when_it_was_nearly_full_costs_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    logger = configured(path, max_bytes=1_000, backup_count=3)
    for number in range(30):
        logger.info("line %d", number)
    flush()
    backups = {file.name: file.read_bytes() for file in tmp_path.glob("cloud.log.*")}
    path.rename(tmp_path / "taken-away")
    for number in range(3):
        logger.info("after %d", number)
        flush()
    assert {file.name: file.read_bytes() for file in tmp_path.glob("cloud.log.*")} == backups
    assert messages(path) == ["after 0", "after 1", "after 2"]


def test_a_rotation_that_fails_is_tried_again_and_moves_no_backup_twice(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    sink = FileSink(path, max_bytes=100, backup_count=3)
    for number in range(4):
        sink.write(b"%d" % number * 79 + b"\n")
    backups = [tmp_path / f"cloud.log.{number}" for number in (1, 2, 3)]
    assert [file.read_bytes()[:1] for file in (path, *backups)] == [b"3", b"2", b"1", b"0"]
    with patch.object(Path, "replace", autospec=True, side_effect=_refusing(path)):
        for _ in range(5):
            sink.write(b"x" * 79 + b"\n")
    assert [file.read_bytes()[:1] for file in backups if file.exists()] == [b"2", b"1"]
    assert path.read_bytes().count(b"\n") == 6
    sink.write(b"y" * 79 + b"\n")
    assert [file.read_bytes()[:1] for file in (path, *backups)] == [b"y", b"3", b"2", b"1"]


def _refusing(path: Path) -> Callable[[Path, Path], Path]:
    """`Path.replace`, which fails for `path`."""
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self == path:
            raise PermissionError(self)
        return replace(self, target)

    return refuse


@pytest.mark.parametrize("what", ["reopened", "moved away", "full"])
def test_a_line_of_which_half_is_written_ends_in_the_same_file(tmp_path: Path, what: str) -> None:
    """The disk was full for a moment, and the file is rotated or reopened before the rest can be written."""
    path = tmp_path / "cloud.log"
    sink = FileSink(path, max_bytes=100 if what == "full" else 0)
    sink.write(b"x" * 79 + b"\n" + b"half")
    if what == "reopened":
        sink.request_reopen()
    elif what == "moved away":
        path.rename(tmp_path / "cloud.log.1")
    sink.write(b" and the rest of it, which is long enough\n")
    sink.write(b"next\n")
    lines = [line for file in tmp_path.iterdir() for line in file.read_bytes().splitlines()]
    assert sorted(lines) == [b"half and the rest of it, which is long enough", b"next", b"x" * 79]


def test_a_torn_last_line_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "cloud.log"
    path.write_bytes(b'{"torn": ')
    configured(path).info("x")
    flush()
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"torn": '
    assert json.loads(whole)["message"] == "x"


def test_a_fifo_nobody_reads_is_refused_and_not_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    configure_structured_logging(log_file=path)
    flush()
    line = json.loads(capfd.readouterr().out)
    assert line["level"] == "WARNING"
    assert line["extra"]["log_file"] == str(path)


def test_a_relative_path_survives_a_change_of_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logger = configured(Path("cloud.log"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    logger.info("x")
    flush()
    assert messages(tmp_path / "cloud.log") == ["x"]
