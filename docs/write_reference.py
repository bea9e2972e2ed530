"""Writes the tables of these pages from the code that reads the settings: `python docs/write_reference.py`.

With `--check` nothing is written; the exit status is 1 where a page is stale, or a key has no example or no meaning. A
table stands between two markers; everything else on a page is written by hand. Examples come from the files
`every-setting.yaml` and `every-job-key.yaml`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import reference_tables as tables
from reference_examples import Examples
from reference_fields import BELOW, Reference, Row, as_written, explained
from reference_tables import table

from actors.job_requests.job_file import FileContent, file_converter
from actors.job_requests.matrices import MATRIX
from actors.jobs.records import JobRequest
from actors.providers.breaker import BreakerOptions
from actors.providers.ray.preparing import RaySpec
from actors.providers.registry import factory, kinds
from actors.providers.replicate.preparing import ReplicateSpec
from actors.providers.scripted.faults import Fault
from actors.providers.scripted.script import Script
from actors.providers.slurm.preparing import SlurmSpec
from actors.settings.providers import CommonSettings, ProviderSettings, kind_shape
from actors.settings.sections import NAMES, Sections, converter
from actors.validation import Shape, StrictConverter

PAGES = Path(__file__).parent
BEGIN, END = "<!-- made by docs/write_reference.py: {} -->", "<!-- end of what is made -->"
SPECS = {"slurm": SlurmSpec, "ray": RaySpec, "replicate": ReplicateSpec, "scripted": Script}
"""By kind of provider, the class of a job's spec; other kinds of ours take none."""
SPEC_CONVERTER = StrictConverter({Script: Shape(types={"faults": dict[str, tuple[Any, ...]]})})
"""Reads the specs. A scripted job's faults are written by call; the keys of a fault have a table of their own."""
BESIDE_FIELDS = {
    MATRIX: "Parameters, each with a list of values or a range: one job for each combination ([sweeps](sweeps.md)).",
}
"""Keys of a job that are no fields of its request."""


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


def specs(writer: Writer) -> Iterator[str]:
    """The keys of a job's spec, for each kind of provider that takes some."""
    for kind, spec in SPECS.items():
        yield f"#### `spec` for kind `{kind}`\n\n{explained(spec)[0]}\n"
        rows = Reference(SPEC_CONVERTER, (Fault,)).rows(spec, "jobs[].spec")
        yield writer.rows(rows, writer.jobs).replace("`jobs[].", "`")


def section_class(name: str) -> Any:
    """The class of a section; the type itself where it is none."""
    default = attrs.fields_dict(Sections)[name].default
    return getattr(default, "factory", None)


def blocks(writer: Writer) -> dict[str, dict[str, Callable[[], Iterator[str]]]]:
    """By page, what makes each of its tables."""
    return {
        "configuration.md": {"places": tables.where, "settings": writer.all_settings, "variables": tables.variables},
        "jobs.md": {
            "job file": writer.job_file,
            "specs": partial(specs, writer),
            "request fields": tables.request_fields,
            "environment": tables.job_environment,
            "directory": tables.job_directory,
        },
        "approvals.md": {
            "conditions": tables.conditions,
            "default rules": tables.default_rules,
            "levels": tables.levels,
        },
        "commands.md": {"commands": tables.commands, "exit statuses": tables.statuses},
        "writing-a-provider.md": {
            "provider": partial(tables.example, "provider/batch_provider.py"),
            "methods": tables.methods,
            "errors": tables.kinds_of_errors,
            "capabilities": tables.capabilities,
            "test": partial(tables.example, "provider/test_batch_provider.py"),
            "promises": tables.promises,
        },
    }


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
