"""Tables in plain text: as wide as the terminal, whole elsewhere, and never obeyed by it."""

from __future__ import annotations

import sys
from typing import Any

import click
import pytest

from actors.cli.tables import cells, print_table

COLUMNS = ("JOB", "NAME", "STATUS", "WHY")
ROWS = [
    ("01m87000000a", "a name that is long", "running", "waiting for two slots of the provider local"),
    ("01m87000000b", "短い名前", "failed, uncertain", None),
]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Print a table on a terminal of this width, or on a pipe; its lines."""

    def printed(width: int | None, rows: Any = ROWS, columns: Any = COLUMNS, **variables: str) -> list[str]:
        for name in ("NO_COLOR", "COLUMNS", "TERM"):
            monkeypatch.delenv(name, raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        print_table(columns, rows, "There are none.")
        return capsys.readouterr().out.splitlines()

    return printed


def test_on_a_pipe_each_row_is_one_whole_line_without_colours(lines: Any) -> None:
    assert lines(None) == [
        "JOB            NAME                  STATUS              WHY",
        "01m87000000a   a name that is long   running             waiting for two slots of the provider local",
        "01m87000000b   短い名前              failed, uncertain",
    ]


@pytest.mark.parametrize("width", [200, 102, 80, 77, 76, 70, 60, 50, 40])
def test_a_terminal_is_not_exceeded_and_ids_stay_whole(lines: Any, width: int) -> None:
    shown = [click.unstyle(line) for line in lines(width)]
    assert max(map(cells, shown)) <= width
    assert {line.split()[0] for line in shown[1:] if line.startswith("01m")} == {"01m87000000a", "01m87000000b"}


def test_a_long_text_is_cut_to_one_line_beside_the_other_cells(lines: Any) -> None:
    assert [click.unstyle(line) for line in lines(80, TERM="dumb")] == [
        "JOB            NAME                  STATUS              WHY",
        "01m87000000a   a name that is long   running             waiting for two slots…",
        "01m87000000b   短い名前              failed, uncertain",
    ]


def test_where_it_would_be_too_narrow_it_is_below_its_row(lines: Any) -> None:
    assert [click.unstyle(line) for line in lines(60, TERM="dumb")] == [
        "JOB            NAME                  STATUS",
        "01m87000000a   a name that is long   running",
        "    why: waiting for two slots of the provider local",
        "01m87000000b   短い名前              failed, uncertain",
    ]


def test_what_says_nothing_is_left_out_first_and_only_where_it_is_narrow(lines: Any) -> None:
    columns = ("JOB", "USER", "PROVIDER", "NOTE", "SIZE", "STATUS")
    rows = [("01m87000000a", "ana", "local", "", 7, "running"), ("01m87000000b", "ana", "ray", "", 9, "running")]
    assert click.unstyle(lines(80, rows, columns)[0]).split() == list(columns)
    assert click.unstyle(lines(45, rows, columns)[0]).split() == ["JOB", "PROVIDER", "SIZE", "STATUS"]
    assert click.unstyle(lines(45, rows[:1], columns)[0]).split() == ["JOB", "SIZE", "STATUS"]


def test_numbers_and_titles_are_never_broken_what_does_not_fit_follows_below(lines: Any) -> None:
    columns = ("JOB", "NAME", "learning_rate", "held_out_loss", "held_out_loss.best", "accuracy.best")
    rows = [(f"01m870000{n}a", f"n{n}", n, 0.25 * n, 0.125 * n, n / 8) for n in (10, 11)]
    assert [click.unstyle(line).split() for line in lines(60, rows, columns)] == [
        ["JOB", "NAME", "learning_rate", "held_out_loss"],
        ["01m87000010a", "n10", "10", "2.5"], ["01m87000011a", "n11", "11", "2.75"],
        [],
        ["JOB", "NAME", "held_out_loss.best", "accuracy.best"],
        ["01m87000010a", "n10", "1.25", "1.25"], ["01m87000011a", "n11", "1.375", "1.375"],
    ]  # fmt: skip


def test_a_terminal_that_is_far_too_narrow_is_no_failure(lines: Any) -> None:
    assert len(lines(1)) > 3


def test_a_status_has_its_colour_on_a_terminal_that_shows_colours(lines: Any) -> None:
    assert click.style("running", fg="cyan")[:-4] in "".join(lines(200))
    assert "\x1b[31m" in "".join(lines(200))
    for off in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in "".join(lines(200, **off))


def test_what_terminals_obey_is_replaced(lines: Any) -> None:
    (_, row) = lines(200, [("a", "\x1b[2Jred\nnext", "running", True)], TERM="dumb")
    assert row.split() == ["a", "�[2Jred", "/", "next", "running", "true"]


def test_nothing_is_a_sentence(lines: Any) -> None:
    assert lines(None, []) == ["There are none."]
