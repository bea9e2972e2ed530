"""Notes of submissions: what is removed, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.providers.key_files import KeyFiles
from actors.providers.submission_notes import SubmissionNotes


def there(root: Path) -> list[str]:
    return sorted(path.stem for path in root.glob("handed-over/*"))


async def test_a_settled_note_is_gone_at_once_and_its_file_with_the_next_removal(tmp_path: Path) -> None:
    notes = SubmissionNotes(tmp_path)
    for key in ("a", "b"):
        await notes.write(key, {"session": key})
    notes.settle("a")
    assert await notes.read("a") is None
    await notes.drop(["c"])
    assert there(tmp_path) == ["b"]


async def test_a_note_that_is_written_again_is_not_settled(tmp_path: Path) -> None:
    notes = SubmissionNotes(tmp_path)
    await notes.write("a", {"session": "1"})
    notes.settle("a")
    await notes.write("a", {"session": "2"})
    await notes.drop([])
    assert await notes.read("a") == {"session": "2"}


async def test_what_cannot_be_removed_now_is_removed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("read-only")

    notes = SubmissionNotes(tmp_path)
    await notes.write("a", {})
    notes.settle("a")
    with monkeypatch.context() as patch:
        patch.setattr(KeyFiles, "remove", refuse)
        await notes.drop([])
    assert await notes.read("a") is None
    assert there(tmp_path) == ["a"]
    await notes.drop([])
    assert there(tmp_path) == []
