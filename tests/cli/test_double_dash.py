"""What ``submit`` answers where -- or the program is missing."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "better"),
    [
        (["python", "train.py", "--lr", "1"], "-- python train.py --lr 1"),
        (["--gpus", "1", "--wait", "python", "-u", "a b.py"], "--gpus 1 --wait -- python -u 'a b.py'"),
        (["--name=x", "sh", "--lr=1"], "--name=x -- sh --lr=1"),
    ],
)
def test_options_of_the_program_need_a_double_dash(terminal: Any, words: list[str], better: str) -> None:
    done = terminal.type("submit", *words)
    assert done.returncode == 2
    assert f"Error: put -- before the program: greenroom submit {better}\n" in done.stderr


@pytest.mark.parametrize("words", [["--naem", "x", "--", "true"], ["--naem", "x"], ["--naem", "x", "sh"]])
def test_an_option_that_submit_does_not_have_stays_one(terminal: Any, words: list[str]) -> None:
    done = terminal.type("submit", *words)
    assert done.returncode == 2
    assert "No such option" in done.stderr


def test_nothing_to_run_is_no_request(terminal: Any) -> None:
    done = terminal.type("submit", "--gpus", "1")
    assert done.returncode == 2
    assert "Error: say what to run: greenroom submit -- python train.py\n" in done.stderr
