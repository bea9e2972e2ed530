"""What a directory takes on disk, whatever its job has left there."""

from __future__ import annotations

import os
from pathlib import Path

from actors.providers import disk_usage
from actors.providers.disk_usage import bytes_below


def filled(folder: Path, size: int = 1 << 20) -> Path:
    folder.mkdir(parents=True)
    (folder / "model").write_bytes(os.urandom(size))
    return folder


def test_everything_below_counts(tmp_path: Path) -> None:
    filled(tmp_path / "job" / "output" / "deep")
    (tmp_path / "job" / "log").write_text("done")
    found = bytes_below(tmp_path / "job")
    assert found is not None
    assert 1 << 20 <= found < 2 << 20


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """Neither a link in the directory nor the directory itself, which a job may have replaced by one."""
    other, job = filled(tmp_path / "other"), tmp_path / "job"
    job.mkdir()
    (job / "folder").symlink_to(other)
    (job / "file").symlink_to(other / "model")
    (job / "loop").symlink_to(job)
    found = bytes_below(job)
    assert found is not None
    assert found < 1 << 16
    (tmp_path / "link").symlink_to(other)
    assert bytes_below(tmp_path / "link") == bytes_below(tmp_path / "missing") == 0


def test_a_heap_of_files_takes_no_longer_than_it_may(tmp_path: Path, monkeypatch) -> None:
    filled(tmp_path / "job")
    assert bytes_below(tmp_path / "job", seconds=0) is None
    monkeypatch.setattr(disk_usage, "_MOST_ENTRIES", 0)
    assert bytes_below(tmp_path / "job") is None
