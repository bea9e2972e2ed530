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

    def printed(width: int | None, rows: Any = ROWS, **variables: str) -> list[str]:
        for name in ("NO_COLOR", "COLUMNS", "TERM"):
            monkeypatch.delenv(name, raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
            monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        print_table(COLUMNS, rows, "There are none.")
        return capsys.readouterr().out.splitlines()

    return printed


def test_on_a_pipe_each_row_is_one_whole_line_without_colours(lines: Any) -> None:
    assert lines(None) == [
        "JOB            NAME                  STATUS              WHY",
        "01m87000000a   a name that is long   running             waiting for two slots of the provider local",
        "01m87000000b   短い名前              failed, uncertain",
    ]


@pytest.mark.parametrize("width", [200, 80, 70, 60, 50])
def test_a_terminal_is_not_exceeded_and_ids_stay_whole(lines: Any, width: int) -> None:
    shown = [click.unstyle(line) for line in lines(width)]
    assert max(map(cells, shown)) <= width
    assert {line.split()[0] for line in shown[1:] if line.startswith("01m")} == {"01m87000000a", "01m87000000b"}
    words = " ".join(line[len(shown[0].partition("WHY")[0]) :] for line in shown[1:])
    assert "".join(words.split()) == "waitingfortwoslotsoftheproviderlocal", "what does not fit goes on below"


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
