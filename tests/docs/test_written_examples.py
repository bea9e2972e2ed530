"""What the pages show is accepted by the code: configurations, job files, and commands with their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from actors.cli.group import cli
from actors.job_requests.job_file import load_job_file
from actors.settings import Settings, SettingsError
from actors.settings.sections import NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Each fenced block of a language, with its page."""
    for page in PAGES:
        for found, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield page, text


def named(place: Path | str) -> str:
    return place.name if isinstance(place, Path) else place.strip().splitlines()[0][:60]


def top(text: str) -> set[str]:
    """The top-level keys of a block; none where it is a list."""
    data = yaml.load(text, yaml.BaseLoader)
    return set(data) if isinstance(data, dict) else set()


NOT_INSTALLED = "kind: batch"
"""In a block whose provider is the example of its page."""
CONFIGURATIONS = [
    (page, text) for page, text in blocks("yaml") if top(text) and top(text) <= set(NAMES) and NOT_INSTALLED not in text
]
JOB_FILES = [(page, text) for page, text in blocks("yaml") if "jobs" in top(text)]


@pytest.mark.parametrize(("page", "text"), CONFIGURATIONS, ids=named)
def test_a_configuration_of_the_pages_is_accepted(page: Path, text: str, tmp_path: Path) -> None:
    file = tmp_path / "greenroom.yaml"
    file.write_text(text)
    try:
        Settings.load(file, environ={}, home=tmp_path)
    except SettingsError as error:
        pytest.fail(str(error))


@pytest.mark.parametrize(("page", "text"), JOB_FILES, ids=named)
def test_a_job_file_of_the_pages_is_accepted(page: Path, text: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text(text)
    assert load_job_file(file, environ={}).requests


def commands() -> Iterator[tuple[Path, str]]:
    """Each command line of the pages that begins with `greenroom`, without what follows it."""
    for page, text in blocks("console"):
        for line in text.replace("\\\n", " ").splitlines():
            found = re.match(r"\$ (?:\w+=\S+ )*greenroom\b(.*)", line)
            if found is not None:
                words = shlex.split(found[1].partition("   #")[0], comments=True)
                ends = [words.index(word) for word in ("|", ">", "&&", "&") if word in words]
                yield page, shlex.join(words[: min(ends, default=len(words))])


def parse(words: list[str]) -> None:
    """Parse a command line as `greenroom` does, and run nothing. Raises ``click.UsageError``."""
    context = cli.make_context("greenroom", list(words), resilient_parsing=False)
    command: click.Command = cli
    rest = [*context._protected_args, *context.args]
    while isinstance(command, click.Group) and rest:
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = command.make_context(name, list(rest), parent=context)
        rest = [*context._protected_args, *context.args]


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())), ids=named)
def test_a_command_of_the_pages_has_options_that_there_are(page: Path, line: str) -> None:
    try:
        parse(shlex.split(line))
    except click.BadParameter as error:
        if isinstance(error, click.MissingParameter) or "does not exist" not in error.message:
            pytest.fail(f"{page.name}: greenroom {line}: {error.format_message()}")
    except click.UsageError as error:
        pytest.fail(f"{page.name}: greenroom {line}: {error.format_message()}")


@pytest.mark.parametrize("line", ["jobs --nope", "show", "nope", "token create --level king", "limits set total"])
def test_a_wrong_command_line_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(shlex.split(line))


def test_the_pages_have_such_examples() -> None:
    assert len(CONFIGURATIONS) > 10
    assert len(JOB_FILES) > 1
    assert len(set(commands())) > 50
