"""What jobs leave in the directory that all nodes share is as hostile as on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.providers.errors import Unavailable
from actors.providers.shared_outputs import SharedOutputs


async def test_a_link_in_the_place_of_a_jobs_output_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "k1").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "jobs" / "k1" / "output").symlink_to(tmp_path / "outside")
    outputs = SharedOutputs(tmp_path / "jobs")
    with pytest.raises(Unavailable, match="output is not a directory"):
        await outputs.variables("k1", {})
    assert await outputs.left({"k1": False}) == {"k1": {}}


async def test_what_is_no_file_is_not_read_and_not_waited_for(tmp_path: Path) -> None:
    outputs = SharedOutputs(tmp_path / "jobs")
    found = await outputs.variables("k1", {})
    assert await outputs.variables("k1", {}) == found
    os.mkfifo(found["GREENROOM_PROGRESS_FILE"])
    os.symlink("/etc/hostname", found["GREENROOM_RESULT_FILE"])  # noqa: PTH211 - ASYNC240 forbids the other way
    assert await outputs.left({"k1": False}) == {"k1": {}}
    await outputs.remove("k1")
    assert list((tmp_path / "jobs").iterdir()) == []
