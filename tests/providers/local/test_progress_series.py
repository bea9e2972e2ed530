"""Series of a progress file: the same whenever it is read, and whenever the reader is killed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.series import Snapshot
from actors.providers.local import progress
from actors.providers.local.progress import Progress, ProgressPlaces


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def series_of(found: Progress) -> dict[str, list[tuple[float, float | None]]]:
    snapshot = found.snapshot() or Snapshot(0, ())
    return {one.name: [(x, None if math.isnan(y) else y) for x, y in one.points] for one in snapshot.series}


LINE = st.one_of(
    st.builds(lambda step, loss: f'{{"step": {step}, "loss": {loss}}}', st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from(['{"loss": NaN}', '{"loss": 1e999}', '{"loss": null}', "no json", "", '{"a": {"b": 1}}', "[1]"]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(LINE, max_size=12), st.lists(st.integers(0, 200), max_size=6), st.booleans(), st.booleans())
def test_reads_and_kills_between_them_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cuts: list[int], has_end: bool, is_stored: bool
) -> None:
    """After each read the reader is killed: with what it read stored, or with nothing stored since the start."""
    tmp_path = tmp_path_factory.mktemp("p")
    content = ("\n".join(lines) + ("\n" if has_end else "")).encode()
    path = tmp_path / "p"
    path.write_bytes(content)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        whole = Progress()
        whole.read(fd, "p", lambda _: None, ended=True)
        path.write_bytes(b"")
        for cut in [*sorted(cuts), len(content)]:
            with path.open("ab") as file:
                file.write(content[path.stat().st_size : cut])
            places = ProgressPlaces(tmp_path / "places")
            found = places.of("k")
            found.read(fd, "p", lambda _: None, ended=cut >= len(content))
            if is_stored:
                places.keep("k")
        assert series_of(found) == series_of(whole)
        assert found.last == whole.last
    finally:
        os.close(fd)


def test_an_ended_file_without_a_last_line_end_is_not_read_again(folder: int, tmp_path: Path) -> None:
    """Not even one whose first line looks like the one after its last."""
    (tmp_path / "p").write_text('{"step": 1, "a": 1}\n{"step": 0, "a": 2}')
    found = Progress()
    for _ in range(3):
        assert found.read(folder, "p", pytest.fail, ended=True) == {"step": 0, "a": 2}
    assert series_of(found) == {"a": [(1, 1), (0, None), (0, 2)]}


def test_numbers_that_are_not_finite_are_counted_and_shown_as_null(folder: int, tmp_path: Path) -> None:
    (tmp_path / "p").write_text('{"step": 1, "loss": 2}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": -1e999}\n')
    found = Progress()
    assert found.read(folder, "p", pytest.fail) == {"step": 3, "loss": None}
    assert series_of(found) == {"loss": [(1, 2), (2, None)]}
    snapshot = found.snapshot()
    assert snapshot is not None
    assert snapshot.series[0].summary.non_finite == 2


def test_too_many_names_are_one_warning(folder: int, tmp_path: Path) -> None:
    names = ", ".join(f'"n{number}": 1' for number in range(60))
    (tmp_path / "p").write_text(f"{{{names}}}\n" * 3)
    found, warned = Progress(), list[str]()
    found.read(folder, "p", warned.append)
    assert len(series_of(found)) == 50
    assert warned == ["progress has more than 50 names of numbers; further ones make no series"]


def test_a_file_written_anew_begins_the_series_anew_unless_it_goes_on(folder: int, tmp_path: Path) -> None:
    found, path = Progress(), tmp_path / "p"
    for number, (content, series) in enumerate(
        [
            ('{"step": 1, "a": 1}\n', [(1, 1)]),
            ('{"step": 2, "a": 2}\n', [(1, 1), (2, 2)]),  # a program that keeps one line
            ('{"step": 1, "a": 1}\n{"step": 2, "a": 3}\n', [(1, 1), (2, 3)]),  # one that writes all of it each time
        ]
    ):
        path.write_text(content)
        os.utime(path, ns=(number * 10**9, number * 10**9))
        found.read(folder, "p", pytest.fail)
        assert series_of(found) == {"a": series}


def test_a_file_written_anew_with_as_many_lines_is_news(folder: int, tmp_path: Path) -> None:
    """Series are written when their number of lines has changed, so it must not be the one of before."""
    places, path = ProgressPlaces(tmp_path / "places"), tmp_path / "p"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n')
    places.of("k").read(folder, "p", pytest.fail)
    before = places.of("k").snapshot()
    for number, content in enumerate(['{"step": 1, "b": 1}\n{"step": 2, "b": 2}\n', '{"step": 0}\n']):
        path.write_text(content)
        os.utime(path, ns=(number, number))
        places.of("k").read(folder, "p", pytest.fail)
        after = places.of("k").snapshot()
        assert before is not None
        assert after is not None
        assert after.lines > before.lines
        assert "a" not in {one.name for one in after.series}
        before = after
    places.keep("k")
    assert ProgressPlaces(tmp_path / "places").of("k").snapshot() == before


def test_a_place_is_written_at_most_every_ten_seconds(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    places, stored = ProgressPlaces(tmp_path / "places"), tmp_path / "places" / "k.json"
    written = []
    for step in range(25):
        with (tmp_path / "p").open("a") as file:
            file.write(f'{{"step": {step}, "a": 1}}\n')
        places.of("k").read(folder, "p", pytest.fail)
        places.keep("k")
        written.append(stored.read_bytes())
        now[0] += 1
    assert len(set(written)) == 3


def test_a_place_without_series_is_read_from_the_beginning(folder: int, tmp_path: Path) -> None:
    """As version 0.1.0 left it."""
    (tmp_path / "p").write_text('{"step": 1, "a": 1}\n')
    (tmp_path / "k.json").write_text('{"offset": 20, "spent": 20, "last": {"step": 1}}')
    found = ProgressPlaces(tmp_path).of("k")
    found.read(folder, "p", pytest.fail)
    assert series_of(found) == {"a": [(1, 1)]}
