"""What commands answer: what they call a job, and what they have changed."""

from __future__ import annotations

from typing import Any


def test_a_command_stands_in_parentheses_where_a_job_has_no_name(terminal: Any, supervisor: Any) -> None:
    """Nobody takes it for a name, by which the job could be found."""
    terminal.type("limits", "set", "total", "0")
    assert terminal.type("submit", "--", "echo", "a").stdout.splitlines()[0].endswith(" (echo a): pending")
    assert "(echo a)" in terminal.type("jobs").stdout
    ids = [job["job_id"] for job in terminal.json("jobs", "--json")]
    terminal.type("submit", "--name", "b", "--", "true")
    done = terminal.type("cancel", *ids, "b")
    assert done.stdout.splitlines()[0] == f"{ids[0]} (no name): cancelled"
    assert "(no name)" in terminal.type("retry", "--status", "cancelled", "--dry-run").stdout
