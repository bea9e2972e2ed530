"""The queue's headline, which holds for the rows below it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.board import Board
from actors.cli.display import queue_line
from actors.cli.queue_text import all_counts_text, counts_text, headline, running_text

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


@pytest.mark.parametrize(
    ("pending", "held", "backed_off", "words"),
    [
        (2, 0, 0, "All pending jobs are blocked by per-user concurrency limits"),
        (2, 1, 0, "All pending jobs that wait for nothing else are blocked by per-user concurrency limits"),
        (2, 0, 1, "All pending jobs that wait for nothing else are blocked by per-user concurrency limits"),
    ],
)
def test_limits_are_the_reason_of_those_alone_that_wait_for_nothing_else(
    pending: int, held: int, backed_off: int, words: str
) -> None:
    rows = [{"position": 0, "not_before": None}] * pending
    rows += [{"position": None, "not_before": None}] * held + [{"position": 5, "not_before": "later"}] * backed_off
    summary = "All pending jobs blocked by per-user concurrency limits"
    assert headline({"summary": summary, "counts": {"pending": len(rows)}, "waiting": rows}) == words


def test_a_page_that_is_not_whole_says_nothing_of_the_jobs_behind_it() -> None:
    queue = {"summary": "All pending jobs blocked by x", "counts": {"pending": 2}, "waiting": []}
    assert headline(queue) == "All pending jobs that wait for nothing else are blocked by x"


@pytest.mark.parametrize(
    ("waiting", "running", "counts"),
    [
        (0, "Running 5", "5 running"),
        (2, "Running 3, waiting at their providers 2", "3 running, 2 waiting at their providers"),
        (100, "Running or waiting at their providers 120", "120 running or waiting at their providers"),
    ],
)
def test_jobs_that_wait_at_their_providers_do_not_count_as_running(waiting: int, running: str, counts: str) -> None:
    """The server lists at most a hundred of them."""
    submitted = 5 if waiting < 100 else 120
    queue = {"running": submitted, "counts": {"running": submitted}, "at_providers": [{}] * waiting}
    assert (running_text(queue), all_counts_text(queue)) == (running, counts)


def test_the_live_board_has_the_same_headline() -> None:
    board = Board()
    counts = {"completed": 1, "pending": 2}
    board.queue = {"counts": counts, "summary": NONE, "closed_providers": {}, "running": 0, "at_providers": []}
    words = "2 pending, 1 has completed. 2 jobs wait for other jobs or for their time"
    assert queue_line(board) == f"queue   {words}"


def test_jobs_that_wait_for_their_time_are_told(terminal: Any, supervisor: Any) -> None:
    terminal.type("submit", "--start-after", "+2h", "--", "true")
    shown = terminal.type("queue").stdout
    assert shown.startswith("1 job waits for other jobs or for its time. Running 0; 1 pending.\n")
