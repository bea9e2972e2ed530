"""The summary of a run has a column for a number only where a job has it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.cli.board import Board, Plan
from actors.cli.summary import print_summary
from actors.settings import Settings


@pytest.mark.parametrize(
    ("results", "titles"),
    [
        ([None, {"accuracy": 0.5}], ["ACCURACY"]),
        ([{"loss": 0.5}, {}], ["LOSS"]),
        ([{"loss": 0.5}, {"accuracy": 0.5}], ["ACCURACY", "LOSS"]),
        ([None, {"lr": 1}], []),
    ],
)
def test_of_the_numbers_of_results(results: list[Any], titles: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    board = Board()
    board.begin_with(
        {
            "job_id": f"01m87000000{n}", "config_name": f"n{n}", "user_id": "ana", "status": "completed",
            "result": result, "queued_at": None, "started_at": None, "completed_at": None, "queue_status": "completed",
            "correlation_id": "c", "uncertain": None, "progress": None,
        }
        for n, result in enumerate(results)
    )  # fmt: skip
    print_summary(Plan(Settings.default()), board, None, interrupted=False)
    head = capsys.readouterr().out.splitlines()[0].split()
    assert head == ["JOB", "NAME", "USER", "STATUS", *titles, "WAITED", "RAN"]
