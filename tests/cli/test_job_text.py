"""Jobs in words, and the picture that is drawn of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.cli.board import Board
from actors.cli.display import actors_line, console, jobs_table, queue_line
from actors.cli.job_text import accuracy_and_loss, duration, lasted, name_of, note, standing
from actors.cli.tables import plain
from actors.cli.waiting import exit_status


def job(**fields: Any) -> dict[str, Any]:
    base = {
        "job_id": "01m87000000000000000000abc", "status": "pending", "queue_status": "pending", "config_name": "small",
        "user_id": "ana", "completed_at": None, "started_at": None, "cancel_requested_at": None, "uncertain": None,
        "reason": None, "error_message": None, "progress": None, "result": None, "exit_code": None, "command": None,
        "entry_point": None, "created_at": None,
    }  # fmt: skip
    return {**base, **fields}


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_where_a_job_stands_in_words() -> None:
    """B14: "running, cancel requested 12 s ago"; blocked is told, though the job itself is pending."""
    assert standing(job()) == "pending"
    assert standing(job(queue_status="blocked")) == "blocked"
    cancelled = job(status="running", queue_status="running", cancel_requested_at=ago(12))
    assert standing(cancelled) == "running, cancel requested 12 s ago"
    assert standing(job(status="running", uncertain={"since": ago(1), "reason": "lost"})) == "running, uncertain"


def test_what_else_there_is_to_say_of_a_job() -> None:
    assert note(job(reason="waiting for 2 GPUs, 1 free")) == "waiting for 2 GPUs, 1 free"
    assert "greenroom settle" in note(job(uncertain={"since": ago(1), "reason": "answer lost"}))
    assert note(job(status="running", progress={"step": 2, "total": 9, "loss": 0.51234})) == "2/9  loss 0.5123"
    assert note(job(status="failed", error_message="exit status 1")) == "exit status 1"
    assert accuracy_and_loss({"loss": "nan", "accuracy": 0.5}) == "accuracy 0.5"


def test_a_job_is_called_by_its_name_or_its_program() -> None:
    assert name_of(job()) == "small"
    assert name_of(job(config_name=None, command=["python", "train.py"])) == "(python train.py)"
    assert name_of(job(config_name=None)) == "000000000abc"


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.24, "4.2 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (0, "0.0 s")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasted(seconds) == words
    assert duration(job(started_at="2026-01-01T00:00:00.000Z", completed_at="2026-01-01T00:03:20.000Z")) == "3 min 20 s"


def test_what_terminals_obey_is_replaced() -> None:
    assert (
        plain("a\x1b[2J\tb\nc\u202e")
        == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b / c\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "completed", "exit_code": 0}, 0),
        ({"status": "failed", "exit_code": 7}, 7),
        ({"status": "failed", "exit_code": None}, 1),
        ({"status": "failed", "exit_code": -9}, 1),
        ({"status": "cancelled", "exit_code": 0}, 1),
        ({"status": "failed", "exit_code": None, "signal": 9}, 137),
        ({"status": "cancelled", "exit_code": None, "signal": 15}, 143),
        ({"status": "failed", "exit_code": 3, "signal": None}, 3),
    ],
)
def test_the_exit_status_is_the_jobs(fields: dict[str, Any], status: int) -> None:
    assert exit_status(job(**fields)) == status


def test_the_picture_shows_bars_reasons_and_troubled_actors() -> None:
    """Bars come from step and total; values that a job made up draw none and break nothing."""
    jobs = [
        job(status="running", queue_status="running", progress={"step": 3, "total": 6, "loss": 0.25}),
        job(config_name="odd", status="running", progress={"step": "x", "total": float("inf")}),
        job(config_name="waits", reason="waiting for 1 CPU, 0 free"),
    ]
    screen = console()
    with screen.capture() as captured:
        screen.print(jobs_table(jobs, 150))
    text = captured.get()
    assert "━" in text
    assert "loss 0.25" in text
    assert "waiting for 1 CPU, 0 free" in text
    tree = [{"id": "actors", "state": "running", "restarts": 0, "children": [
        {"id": "scheduler", "state": "restarting", "restarts": 2}, {"id": "poller", "state": "running", "restarts": 0},
    ]}]  # fmt: skip
    assert actors_line(tree) == "actors  scheduler restarting (restarted 2x), poller"
    board = Board()
    board.queue = {
        "counts": {"pending": 2},
        "summary": "All blocked",
        "running": 0,
        "at_providers": [],
        "closed_providers": {"ray": "provider ray is paused"},
    }
    assert queue_line(board) == "queue   2 pending. All blocked; provider ray is paused"


def test_a_board_with_a_file_concerns_that_files_jobs() -> None:
    board = Board()
    board.begin_with([job(job_id="f1"), job(job_id="f2")])
    board.add([job(job_id="other")])
    assert [one["job_id"] for one in board.jobs()] == ["f1", "f2"]
    assert board.others() == 1
    assert not board.note({"type": "job_queued", "job_id": "f1"})
    assert board.note({"type": "job_queued", "job_id": "new"})
