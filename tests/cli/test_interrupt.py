"""Ctrl-C in a command that waits or follows."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.cli.conftest import stop, until


def test_ctrl_c_in_a_wait_says_that_the_job_goes_on(terminal: Any, supervisor: Any) -> None:
    os.mkfifo(terminal.cwd / "go")
    waits = terminal.start("submit", "--wait", "--name", "long", "--", "sh", "-c", "echo here; cat go")
    until(waits, "long is running")
    rest = stop(waits, signal.SIGINT)
    follows = terminal.start("logs", "-f", "long")
    until(follows, "here")
    assert (stop(follows, signal.SIGINT), follows.returncode) == ("", 130)
    job = terminal.json("show", "--json", "long")
    assert rest == f"long ({job['job_id'][-12:]}) goes on; greenroom logs -f long, greenroom cancel long\n"
    assert waits.returncode == 130
    assert job["status"] == "running"
    (terminal.cwd / "go").write_text("gone\n")
    assert terminal.type("logs", "-f", "long").stdout == "here\ngone\n"


@pytest.mark.parametrize("words", [("watch",), ("tree", "-w")])
def test_ctrl_c_ends_what_follows_without_a_word(terminal: Any, supervisor: Any, words: tuple[str, ...]) -> None:
    follows = terminal.start(*words)
    until(follows, "Connected" if words == ("watch",) else "greenroom")
    rest = stop(follows, signal.SIGINT)
    assert "Aborted" not in rest
    assert "Traceback" not in rest
    assert follows.returncode == 130


def test_output_is_followed_to_the_end_of_its_job_whoever_has_its_name_by_then(terminal: Any, supervisor: Any) -> None:
    os.mkfifo(terminal.cwd / "go")
    os.mkfifo(terminal.cwd / "never")
    terminal.json("submit", "--json", "--name", "train", "--cpus", "0", "--", "sh", "-c", "echo here; cat go")
    follows = terminal.start("logs", "-f", "train")
    until(follows, "here")
    newer = terminal.json("submit", "--json", "--name", "train", "--cpus", "0", "--", "cat", "never")
    (terminal.cwd / "go").write_text("gone\n")
    assert follows.communicate()[0] == "gone\n"
    assert follows.returncode == 0
    terminal.type("cancel", newer["job_id"])
