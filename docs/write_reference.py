"""Writes the tables of these pages from the code that reads the settings: `python docs/write_reference.py`.

With `--check` nothing is written; the exit status is 1 where a page is stale, or a key has no example or no meaning. A
table stands between two markers; everything else on a page is written by hand. Examples come from the files
`every-setting.yaml` and `every-job-key.yaml`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import click
import yaml
from reference_fields import BELOW, Reference, Row, as_written, explained, in_markdown

from actors.cli import exit_statuses
from actors.cli.group import cli
from actors.job_requests.job_file import FileContent, file_converter
from actors.job_requests.matrices import MATRIX
from actors.job_requests.sources import FIELDS, NETWORK, RequestSource
from actors.jobs.approval_rules import CONDITIONS, DEFAULT_RULES
from actors.jobs.levels import USER_LEVELS
from actors.jobs.quantities import without_unit
from actors.jobs.records import JobRequest
from actors.providers import errors, job_variables
from actors.providers.base import Capabilities, Provider
from actors.providers.breaker import BreakerOptions
from actors.providers.local.directory import JobDirectory
from actors.providers.local.environment import OURS as LOCAL
from actors.providers.ray.runtime_env import OURS as RAY
from actors.providers.registry import factory, kinds
from actors.providers.slurm.preparing import OURS as SLURM
from actors.settings import places
from actors.settings.providers import CommonSettings, ProviderSettings, kind_shape
from actors.settings.sections import NAMES, Sections, converter
from actors.settings.variable_names import CONFIG, VARIABLES
from actors.testing.provider_promises import PROMISES
from actors.validation import StrictConverter

PAGES = Path(__file__).parent
BEGIN, END = "<!-- made by docs/write_reference.py: {} -->", "<!-- end of what is made -->"
SET_BY = {"local": LOCAL, "ray": RAY, "slurm": SLURM}
"""By kind of provider, the variables that it sets in a job's environment."""
BESIDE_FIELDS = {
    MATRIX: "Parameters, each with a list of values or a range: one job for each combination ([sweeps](sweeps.md)).",
}
"""Keys of a job that are no fields of its request."""


class Examples:
    """A file that has a value for each key; values are shown as they are written there."""

    def __init__(self, name: str) -> None:
        self._root = yaml.compose((PAGES / name).read_text(encoding="utf-8"))

    def of(self, path: str, kind: str | None = None) -> str | None:
        """The value at ``path``, on one line; None without one. ``kind``: of a provider of that kind."""
        parents, _, last = path.replace("[]", ".[]").rpartition(".")
        names = [last, without_unit(last)]  # `timeout: 36h` is an example of `timeout_hours`
        paths = [[*filter(None, parents.split(".")), name] for name in names if name is not None]
        return next((_line(node) for parts in paths for node in self._found(self._root, parts, kind)), None)

    def _found(self, node: Any, parts: list[str], kind: str | None) -> Iterator[Any]:
        if not parts:
            yield node
        elif parts[0] == "[]":
            for one in node.value if isinstance(node, yaml.SequenceNode) else ():
                yield from self._found(one, parts[1:], kind)
        elif isinstance(node, yaml.MappingNode):
            for key, one in node.value:
                is_wild = parts[0] == "NAME" and (kind is None or _kind_of(key.value, one) == kind)
                if is_wild or key.value == parts[0]:
                    yield from self._found(one, parts[1:], kind if parts[0] == "providers" else None)


def _kind_of(name: str, node: Any) -> str:
    values = {key.value: one.value for key, one in node.value} if isinstance(node, yaml.MappingNode) else {}
    return str(values.get("kind", name))


def _line(node: Any) -> str:
    """A value of YAML on one line."""
    if isinstance(node, yaml.MappingNode):
        return "{" + ", ".join(f"{key.value}: {_line(one)}" for key, one in node.value) + "}"
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(map(_line, node.value))}]"
    return f"{node.style or ''}{node.value}{node.style or ''}"


@attrs.define
class Writer:
    """Makes the tables. ``faults``: keys that lack something."""

    faults: list[str] = attrs.field(factory=list)
    settings: Examples = attrs.field(factory=lambda: Examples("every-setting.yaml"))
    jobs: Examples = attrs.field(factory=lambda: Examples("every-job-key.yaml"))

    def rows(self, rows: Iterable[Row], examples: Examples, kind: str | None = None) -> str:
        """A table of settings or keys."""
        lines = []
        for row in rows:
            example = examples.of(row.path, kind)
            shown = row.default if example is None and row.has_default else f"`{example}`"
            if row.type.endswith(BELOW):
                shown = ""
            elif example is None and not row.has_default:
                self.faults.append(f"{row.path} ({kind or 'no kind'}): give an example in the file of examples")
            if not row.meaning:
                self.faults.append(f"{row.path} ({kind or 'no kind'}): describe it in the docstring of its class")
            lines.append((f"`{row.path}`", row.type, row.default, shown, row.meaning))
        return table(("key", "type", "default", "example", "meaning"), lines)

    def all_settings(self) -> Iterator[str]:
        """Every section of the configuration."""
        reader = Reference(converter([]), (ProviderSettings,))
        rows = list(reader.rows(Sections))
        for name in NAMES:
            yield f"### `{name}`\n"
            general = explained(kind)[0] if attrs.has(kind := section_class(name)) else ""
            yield from ([f"{general}\n"] if general else [])
            yield self.rows((row for row in rows if re.match(rf"{name}\b", row.path)), self.settings)
            if name == "providers":
                yield from self._providers(reader)

    def _providers(self, reader: Reference) -> Iterator[str]:
        yield "#### every provider, whatever its kind\n"
        yield self.rows(reader.rows(CommonSettings, "providers.NAME"), self.settings)
        for kind in kinds():
            made_by = factory(kind)
            reader.converter.shapes[made_by.options_class] = kind_shape(made_by.options_class)
            yield f"#### kind `{kind}`\n\n{explained(made_by.options_class)[0]}\n"
            yield self.rows(reader.rows(made_by.options_class, "providers.NAME"), self.settings, kind)
            different = [
                f"`{name}` is {as_written(value)}"
                for name, value in attrs.asdict(made_by.breaker).items()
                if value != getattr(BreakerOptions(), name)
            ]
            if different:
                yield f"In its `circuit_breaker` the default of {', '.join(different)}.\n"

    def job_file(self) -> Iterator[str]:
        """The keys of a job file, and of a job in it."""
        reader = Reference(file_converter(), (JobRequest,))
        yield self.rows(reader.rows(FileContent), self.jobs)
        yield "Of a job, and of `defaults`:\n"
        also = reader.converter.shapes[JobRequest].also
        beside = [Row(f"jobs[].{key}", "by name: list or range", "none", BESIDE_FIELDS[key], False) for key in also]
        rows = [*reader.rows(JobRequest, "jobs[]"), *beside]
        text = self.rows(rows, self.jobs)
        yield text.replace("`jobs[].", "`")


def section_class(name: str) -> Any:
    """The class of a section; the type itself where it is none."""
    default = attrs.fields_dict(Sections)[name].default
    return getattr(default, "factory", None)


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
    yield f"```python\n{(PAGES.parent / 'examples' / name).read_text(encoding='utf-8').strip()}\n```"


def promises() -> Iterator[str]:
    """What the conformance suite checks."""
    lines = ((f"`{one.__name__}`", " ".join((one.__doc__ or "").split())) for one in PROMISES)
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


def blocks(writer: Writer) -> dict[str, dict[str, Callable[[], Iterator[str]]]]:
    """By page, what makes each of its tables."""
    return {
        "configuration.md": {"places": where, "settings": writer.all_settings, "variables": variables},
        "jobs.md": {
            "job file": writer.job_file, "request fields": request_fields, "environment": job_environment,
            "directory": job_directory,
        },
        "approvals.md": {"conditions": conditions, "default rules": default_rules, "levels": levels},
        "commands.md": {"commands": commands, "exit statuses": statuses},
        "writing-a-provider.md": {
            "provider": partial(example, "provider/batch_provider.py"), "methods": methods, "errors": kinds_of_errors,
            "capabilities": capabilities, "test": partial(example, "provider/test_batch_provider.py"),
            "promises": promises,
        },
    }  # fmt: skip


def written(page: str, text: str, made: dict[str, Callable[[], Iterator[str]]]) -> str:
    """The text of a page with its tables as the code is now."""
    for name, make in made.items():
        begin = BEGIN.format(name)
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{page}: the markers {begin!r} and {END!r} are missing")
        content = "\n".join(make()).strip()
        text = f"{before}{begin}\n{content}\n{END}{after}"
    return text


def main(*, check: bool) -> int:
    """Write the pages, or say which are stale."""
    writer, stale = Writer(), []
    for page, made in blocks(writer).items():
        path = PAGES / page
        before = path.read_text(encoding="utf-8")
        after = written(page, before, made)
        if before != after:
            stale.append(f"{page}: {'stale; run python docs/write_reference.py' if check else 'written'}")
            if not check:
                path.write_text(after, encoding="utf-8")
    print("\n".join([*stale, *writer.faults]))
    return int(bool(writer.faults) or (check and bool(stale)))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
