"""What commands answer: what they call a job, and what they have changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from actors.cli.group import cli


def test_a_command_stands_in_parentheses_where_a_job_has_no_name(terminal: Any, supervisor: Any) -> None:
    """Nobody takes it for a name, by which the job could be found."""
    terminal.type("limits", "set", "total", "0")
    assert terminal.type("submit", "--", "echo", "a").stdout.splitlines()[0].endswith(" (echo a): pending")
    assert "(echo a)" in terminal.type("jobs").stdout
    ids = [job["job_id"] for job in terminal.json("jobs", "--json")]
    terminal.type("submit", "--name", "b", "--", "true")
    done = terminal.type("cancel", *ids, "b")
    assert done.stdout.splitlines()[0] == f"{ids[0]}: cancelled"
    preview = terminal.type("retry", "--status", "cancelled", "--dry-run").stdout.splitlines()
    names = {job: name for job, name, *_ in (line.split() for line in preview[1:3])}
    assert sorted(names.values()) == sorted(["b", ids[0][-12:]])
    assert names[ids[0][-12:]] == ids[0][-12:]


def test_a_change_of_priority_and_of_a_pause_is_told(terminal: Any, supervisor: Any) -> None:
    assert terminal.type("queue", "pause", "local").stdout.startswith(
        "provider local paused\nProvider local is paused: by "
    )
    terminal.type("submit", "--name", "a", "--", "true")
    assert terminal.type("prioritise", "a", "40").stdout.endswith(" a: pending, priority 40\n")
    assert terminal.type("queue", "resume", "local").stdout == "provider local resumed\n"
    terminal.type("queue", "pause")
    still = "provider local resumed\nThe queue is paused: by "
    assert terminal.type("queue", "resume", "local").stdout.startswith(still)
    assert terminal.type("queue", "resume").stdout == "queue resumed\n"


def test_every_sentence_of_a_list_of_commands_is_whole_in_80_columns() -> None:
    for group, context in _groups(cli, "greenroom"):
        assert "..." not in group.get_help(context).partition("Commands:")[2]


def _groups(command: click.Command, name: str) -> Iterator[tuple[click.Group, click.Context]]:
    if not isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=name, terminal_width=80)
    yield command, context
    for below in command.list_commands(context):
        if (found := command.get_command(context, below)) is not None:
            yield from _groups(found, below)


def test_a_number_of_more_than_64_bits_is_refused_by_its_field(terminal: Any, supervisor: Any) -> None:
    terminal.json("submit", "--json", "--name", "waiting", "--start-after", "+1h", "--", "true")
    large = "9" * 20
    for words, field in (
        (("limits", "set", "total", large), "value"),
        (("prioritise", "waiting", large), "priority_override"),
        (("submit", "--cpus", large, "--", "true"), "resources.cpus"),
        (("submit", "--rerun", large, "--", "true"), "rerun.times"),
    ):
        done = terminal.type(*words)
        assert (done.returncode, done.stderr) == (2, f"greenroom: {field}: is a number too large to keep\n")
