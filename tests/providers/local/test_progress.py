"""Progress is read forward: each byte once, a bounded piece at a time, 64 MiB of one job (B21)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.providers.local import progress
from actors.providers.local.progress import MAX_LINE, PIECE, Progress, ProgressPlaces


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The pieces that were asked for: how many bytes, from where."""
    asked: list[tuple[int, int]] = []
    really = progress.read_up_to

    def noted(fd: int, most: int, offset: int) -> bytes:
        asked.append((most, offset))
        return really(fd, most, offset)

    monkeypatch.setattr(progress, "read_up_to", noted)
    return asked


def line(step: int, width: int = 100) -> bytes:
    return json.dumps({"step": step, "x": "y" * (width - 30)}).encode().ljust(width - 1) + b"\n"


def test_what_was_read_is_not_read_again(folder: int, tmp_path: Path, read: list[tuple[int, int]]) -> None:
    found, warned = Progress(), []
    with (tmp_path / "p").open("wb", buffering=0) as file:
        for step in range(5):
            file.write(line(step))
            value = found.read(folder, "p", warned.append)
            assert value is not None
            assert value["step"] == step
    assert [offset for _, offset in read] == [0, 100, 200, 300, 400]
    assert (found.offset, found.spent, warned) == (500, 500, [])


def test_a_long_file_comes_in_pieces_and_its_last_line_counts(
    folder: int, tmp_path: Path, read: list[tuple[int, int]]
) -> None:
    steps = 3 * PIECE // 100
    (tmp_path / "p").write_bytes(b"".join(line(step) for step in range(steps)))
    value = Progress().read(folder, "p", lambda _: None)
    assert value is not None
    assert value["step"] == steps - 1
    assert max(most for most, _ in read) == PIECE
    assert len(read) == 4


def test_beyond_the_allowance_nothing_is_read(
    folder: int, tmp_path: Path, read: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last value within it stays; the rest is a WARNING, which the caller gives once."""
    monkeypatch.setattr(progress, "MAX_PROGRESS", 1000)
    found, warned = Progress(), []
    (tmp_path / "p").write_bytes(b"".join(line(step) for step in range(20)))
    for _ in range(3):
        value = found.read(folder, "p", warned.append)
        assert value is not None
        assert value["step"] == 9
    assert set(warned) == {"progress beyond 64 MiB was ignored"}
    assert sum(most for most, _ in read) == 1000


@pytest.mark.parametrize("size", [MAX_LINE + 1, PIECE, PIECE + 1, 3 * PIECE + 17])
def test_a_line_that_is_too_long_hides_none_after_it(folder: int, tmp_path: Path, size: int) -> None:
    found, warned = Progress(), []
    (tmp_path / "p").write_bytes(line(1) + b"[" * size + b"\n" + line(2))
    value = found.read(folder, "p", warned.append)
    assert value is not None
    assert value["step"] == 2
    assert set(warned) == {"a progress line longer than 16 KiB was ignored"}


def test_a_file_written_anew_is_read_from_its_beginning(folder: int, tmp_path: Path) -> None:
    """Some programs write one line over and over, of the same length even; others put a new file in its place."""
    found, path = Progress(), tmp_path / "p"
    for number, (content, step) in enumerate(
        [(line(1), 1), (line(2), 2), (line(3, 50), 3), (line(4, 70) + line(5), 5), (line(6, 400), 6)]
    ):
        path.write_bytes(content)
        os.utime(path, ns=(number * 10**9, number * 10**9))
        value = found.read(folder, "p", lambda _: None)
        assert value is not None
        assert value["step"] == step
    (tmp_path / "new").write_bytes(line(7, 400))
    (tmp_path / "new").rename(path)
    value = found.read(folder, "p", lambda _: None)
    assert value is not None
    assert value["step"] == 7


def test_a_sparse_file_costs_the_allowance_at_most(folder: int, tmp_path: Path, read: list[tuple[int, int]]) -> None:
    warned: list[str] = []
    with (tmp_path / "p").open("wb") as file:
        file.truncate(2 << 30)
    assert Progress().read(folder, "p", warned.append) is None
    assert sum(most for most, _ in read) <= progress.MAX_PROGRESS
    assert set(warned) == {"a progress line longer than 16 KiB was ignored", "progress beyond 64 MiB was ignored"}


def test_a_restart_reads_on_from_the_stored_place(
    folder: int, tmp_path: Path, read: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read, and what it cost of the allowance, is known to the next supervisor; a damaged file costs time."""
    file = tmp_path / "progress.jsonl"
    file.write_bytes(line(1) * 50)
    places = ProgressPlaces(tmp_path / "places")
    assert places.of("k").read(folder, file.name, pytest.fail) == json.loads(line(1))
    places.keep("k")
    with file.open("ab") as more:
        more.write(line(2))
    read.clear()
    again = ProgressPlaces(tmp_path / "places")
    assert again.of("k").read(folder, file.name, pytest.fail) == json.loads(line(2))
    assert {offset for _, offset in read} == {len(line(1)) * 50}
    again.keep("k")
    monkeypatch.setattr(progress, "MAX_PROGRESS", len(line(1)) * 51)
    with file.open("ab") as more:
        more.write(line(3))
    warned: list[str] = []
    assert ProgressPlaces(tmp_path / "places").of("k").read(folder, file.name, warned.append) == json.loads(line(2))
    assert warned == ["progress beyond 64 MiB was ignored"]
    for damaged in (b"", b"[]", b'{"offset": -1}', b'{"offset": "x"}', b'{"other": 1}', b"\xff"):
        (tmp_path / "places" / "k.json").write_bytes(damaged)
        assert ProgressPlaces(tmp_path / "places").of("k").place == Progress().place
    again.close("k")
    assert list((tmp_path / "places").iterdir()) == []
