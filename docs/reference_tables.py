"""The tables of the reference that are no settings: each a function that gives the text of a block."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from reference_fields import Reference, explained, in_markdown

from actors.cli import exit_statuses
from actors.cli.group import cli
from actors.job_requests.job_file import file_converter
from actors.job_requests.sources import FIELDS, NETWORK, RequestSource
from actors.jobs.approval_rules import CONDITIONS, DEFAULT_RULES
from actors.jobs.levels import USER_LEVELS
from actors.jobs.records import JobRequest
from actors.providers import errors, job_variables
from actors.providers.base import Capabilities, Provider
from actors.providers.local.directory import JobDirectory
from actors.providers.local.environment import OURS as LOCAL
from actors.providers.ray.runtime_env import OURS as RAY
from actors.providers.slurm.preparing import OURS as SLURM
from actors.settings import places
from actors.settings.variable_names import CONFIG, VARIABLES
from actors.testing.provider_promises import PROMISES
from actors.validation import StrictConverter

EXAMPLES = Path(__file__).parent.parent / "examples"
SET_BY = {"local": LOCAL, "ray": RAY, "slurm": SLURM}
"""By kind of provider, the variables that it sets in a job's environment."""


def table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    heads = list(heads)
    rows = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *rows, ""])


def where() -> Iterator[str]:
    """Where files of settings are looked for."""
    names = " or ".join(f"`{name}`" for name in places.NAMES)
    home = Path("~")
    yield f"1. the file that `--config FILE` names\n2. the file that `${CONFIG}` names"
    yield f"3. {names} in the working directory, if the file is yours and nobody else may write to it"
    for number, directory in enumerate(places.directories(home), 4):
        yield f"{number}. {names} in `{directory}/`"


def variables() -> Iterator[str]:
    """The environment variables that are read."""
    yield table(
        ("variable", "default", "example", "meaning"),
        ((f"`{one.name}`", one.default, f"`{one.example}`", one.meaning) for one in VARIABLES),
    )


def request_fields() -> Iterator[str]:
    """Who may set which field."""
    keys = file_converter().shapes[JobRequest].keys(JobRequest)
    heads = ["field", "key in a job file", *(source.value.replace("_", " ") for source in RequestSource)]
    lines = []
    for name, access in FIELDS.items():
        rule = access.over_network.value
        cells = [
            "" if one not in access.sources else "yes" if one not in NETWORK or rule == "any value" else rule
            for one in RequestSource
        ]
        if access.of_command:
            cells[list(RequestSource).index(RequestSource.SOCKET_OTHER)] = "with `socket.commands`"
        lines.append((f"`{name}`", f"`{keys[name]}`" if name in keys else "", *cells))
    yield table(heads, lines)


def job_environment() -> Iterator[str]:
    """What a job finds in its environment."""
    by_name = {name: [kind for kind, names in SET_BY.items() if name in names] for name in job_variables.MEANINGS}
    lines = ((f"`{name}`", job_variables.MEANINGS[name], ", ".join(by)) for name, by in by_name.items())
    yield table(("variable", "what it holds", "providers"), lines)


def job_directory() -> Iterator[str]:
    """What is in the directory of a job on this machine."""
    files = [one for one in vars(JobDirectory).values() if hasattr(one, "meaning")]
    yield table(("name", "what it is"), ((f"`{one.name}`", one.meaning) for one in files))


def statuses() -> Iterator[str]:
    """The exit statuses."""
    yield table(("status", "meaning"), exit_statuses.MEANINGS.items())


def commands() -> Iterator[str]:
    """Each command with its sentence."""
    lines = [(f"`{path}`", command.get_short_help_str(1000)) for path, command in command_tree()]
    yield table(("command", "what it does"), lines)


def command_tree(group: click.Group = cli, path: str = "greenroom") -> Iterator[tuple[str, click.Command]]:
    """Every command below ``group``, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from command_tree(command, f"{path} {name}")


def conditions() -> Iterator[str]:
    """The conditions of approval rules."""
    lines = ((f"`{name}`", one.meaning, one.value) for name, one in CONDITIONS.items())
    yield table(("condition", "holds if", "value"), lines)


def levels() -> Iterator[str]:
    """The levels of users."""
    lines = ((f"`{name}`", str(priority)) for name, priority in USER_LEVELS.items())
    yield table(("level", "priority of its jobs"), lines)


def default_rules() -> Iterator[str]:
    """The rules that come with Greenroom."""
    lines = [
        (
            one.name,
            f"`{one.condition}`",
            "" if one.value is None else f"{one.value:g}",
            str(one.priority),
            ", ".join(one.exempt_levels),
            one.required_approver_level,
        )
        for one in DEFAULT_RULES
    ]
    yield table(("rule", "condition", "value", "priority", "not for", "decided by at least"), lines)


def example(name: str) -> Iterator[str]:
    """A file of the examples, whole."""
    yield f"```python\n{(EXAMPLES / name).read_text(encoding='utf-8').strip()}\n```"


def promises() -> Iterator[str]:
    """What the conformance suite checks."""
    lines = ((f"`{one.__name__}`", " ".join((one.__doc__ or "").replace("``", "`").split())) for one in PROMISES)
    yield table(("check", "promise"), lines)


def methods() -> Iterator[str]:
    """The protocol of a provider."""
    lines = [
        (f"`{name}`", _markdown(inspect.getdoc(one) or ""))
        for name, one in vars(Provider).items()
        if inspect.isfunction(one) and not name.startswith("_")
    ]
    yield table(("method", "what it does"), lines)


def kinds_of_errors() -> Iterator[str]:
    """What a provider may raise."""
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ProviderError)]
    yield table(("error", "meaning"), ((f"`{one.__name__}`", _markdown(inspect.getdoc(one) or "")) for one in classes))


def capabilities() -> Iterator[str]:
    """What a provider says that it can do."""
    meanings = explained(Capabilities)[1]
    rows = [row for row in Reference(StrictConverter()).rows(Capabilities) if meanings[row.path]]
    yield table(
        ("capability", "type", "default", "meaning"),
        ((f"`{one.path}`", one.type, one.default, one.meaning) for one in rows),
    )


def _markdown(text: str) -> str:
    """A docstring of code, on one line."""
    return in_markdown(" ".join(text.split()), "None")
