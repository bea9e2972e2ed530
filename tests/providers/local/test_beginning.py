"""Since when a folder of the local provider has the directories of all jobs (F3)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from actors.providers.local.beginning import beginning, note_beginning


def test_a_new_folder_begins_now_once_and_for_all(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    root, jobs = tmp_path / "local", tmp_path / "local" / "jobs"
    note_beginning(root, jobs)
    began = beginning(root)
    assert began is not None
    assert abs((began - before).total_seconds()) < 60
    note_beginning(root, jobs)  # killed before the folder of jobs was made
    jobs.mkdir()
    note_beginning(root, jobs)
    assert beginning(root) == began


def test_a_folder_of_an_earlier_version_has_them_all(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    note_beginning(tmp_path, tmp_path / "jobs")
    assert beginning(tmp_path) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"1e400", b"nan"])
def test_a_note_that_cannot_be_read_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "begun").write_bytes(content)
    assert beginning(tmp_path) is None
