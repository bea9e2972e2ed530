"""Help for each command: it fits a terminal of 80 columns, and no sentence is cut."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from actors.cli.group import cli


def command_lines(group: click.Group = cli, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that call each command, groups included."""
    yield words
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from command_lines(command, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize("words", list(command_lines()), ids=" ".join)
def test_help_fits_80_columns_with_every_sentence_whole(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"], prog_name="greenroom", terminal_width=80)
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    after_usage = lines[lines.index("") :]
    assert [line for line in after_usage if line.rstrip().endswith(("...", "…"))] == [], "shorten the sentence"


def test_every_command_and_option_has_a_sentence() -> None:
    silent = []
    for words in command_lines():
        command: click.Command = cli
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        if not command.get_short_help_str(1_000).endswith("."):
            silent.append(" ".join(words))
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        silent += [f"{' '.join(words)} {one.opts[0]}" for one in options if not one.help]
    assert silent == []
