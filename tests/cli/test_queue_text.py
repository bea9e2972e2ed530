"""The queue's headline, which holds for the rows below it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.board import Board
from actors.cli.display import queue_line
from actors.cli.queue_text import counts_text, headline

NONE = "No pending jobs in queue"


@pytest.mark.parametrize(
    ("summary", "counts", "words"),
    [
        (NONE, {}, NONE),
        (NONE, {"completed": 3}, NONE),
        (NONE, {"pending": 2}, "2 jobs wait for other jobs or for their time"),
        (
            NONE,
            {"pending": 1, "blocked": 2},
            "1 job waits for other jobs or for its time, 2 jobs wait for an approval",
        ),
        ("Global limit reached (5/5)", {"pending": 2}, "Global limit reached (5/5)"),
    ],
)
def test_the_headline_is_true_of_what_waits(summary: str, counts: dict[str, int], words: str) -> None:
    assert headline({"summary": summary, "counts": counts}) == words


def test_what_has_ended_is_counted_as_ended() -> None:
    counts = {"cancelled": 1, "completed": 37, "failed": 1, "pending": 2, "running": 1}
    assert counts_text(counts) == "2 pending, 1 running, 1 was cancelled, 37 have completed, 1 has failed"


def test_the_live_board_has_the_same_headline() -> None:
    board = Board()
    board.queue = {"counts": {"completed": 1, "pending": 2}, "summary": NONE, "closed_providers": {}}
    words = "2 pending, 1 has completed. 2 jobs wait for other jobs or for their time"
    assert queue_line(board) == f"queue   {words}"


def test_jobs_that_wait_for_their_time_are_told(terminal: Any, supervisor: Any) -> None:
    terminal.type("submit", "--start-after", "+2h", "--", "true")
    shown = terminal.type("queue").stdout
    assert shown.startswith("1 job waits for other jobs or for its time. Running 0; 1 pending.\n")
