"""The tables of docs/ are what the code says, and their examples are accepted by it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from actors.cli.exit_statuses import MEANINGS as EXIT_MEANINGS
from actors.cli.exit_statuses import ExitStatus
from actors.job_requests.job_file import load_job_file
from actors.jobs.records import JobRequest
from actors.providers.errors import FieldFault
from actors.providers.job_variables import MEANINGS
from actors.providers.registry import kinds
from actors.providers.scripted.script import read_script
from actors.providers.specs import read_spec
from actors.settings import Settings
from actors.settings.variable_names import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
from reference_fields import Reference  # noqa: E402 - the directory has no package around it
from write_reference import SPECS, Writer  # noqa: E402

from actors.validation import StrictConverter  # noqa: E402


def test_the_pages_show_what_the_code_reads() -> None:
    """Stale, or a key without a meaning or an example? The output says which."""
    command = [sys.executable, "docs/write_reference.py", "--check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_the_example_of_every_setting_is_accepted(tmp_path: Path) -> None:
    settings = Settings.load(DOCS / "every-setting.yaml", environ={}, home=tmp_path)
    assert settings.limits.total == 8
    assert {one.kind for one in settings.providers.values()} >= {"local", "ray", "replicate", "scripted"}
    assert [note.message for note in settings.notes] == []


def test_the_example_of_every_key_of_a_job_file_is_accepted() -> None:
    jobs = load_job_file(DOCS / "every-job-key.yaml", environ={})
    assert len(jobs.requests) == 5
    specs = {one.config_name: one.spec for one in jobs.requests if isinstance(one, JobRequest)}
    faults: list[FieldFault] = []
    for kind, name in {"slurm": "on-slurm", "ray": "by-name", "replicate": "prediction"}.items():
        assert read_spec(specs[name], SPECS[kind], faults) is not None, faults
    assert [fault.calls for fault in read_script(specs["simulated"]).faults] == [("submit",)]


@attrs.frozen
class Half:
    """A class.

    ``known``: what it is.
    """

    known: str = "a"
    forgotten: str | None = None


def test_a_key_without_meaning_or_example_is_reported() -> None:
    writer = Writer()
    text = writer.rows(Reference(StrictConverter()).rows(Half, "half"), writer.settings)
    assert "| `half.known` | text | `a` | `a` | What it is. |" in text
    assert [fault.partition(" ")[0] for fault in writer.faults] == ["half.forgotten", "half.forgotten"]


OURS = re.compile(r"(?:GREENROOM|SIMPLETUNER|SUPERVISION)_[A-Z_]+")
NOT_OURS = {"GREENROOM_COMPLETE", "_GREENROOM_COMPLETE"}
"""Of click: set by the completion script."""


def variables_read(package: Path) -> Iterator[tuple[str, str]]:
    """Names of variables in the code, each with its place: those with our prefixes, and those taken from `environ`."""
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            found: list[ast.expr] = []
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and OURS.fullmatch(node.value):
                found = [node]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
                found = node.args[:1] if node.func.attr in ("get", "pop") else []
            elif isinstance(node, ast.Subscript) and _is_environ(node.value):
                found = [node.slice]
            elif isinstance(node, ast.Compare) and any(map(_is_environ, node.comparators)):
                found = [node.left]
            for one in found:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value, f"{path.relative_to(ROOT)}:{node.lineno}"


def _is_environ(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("environ", "_environ")


def declared() -> Mapping[str, str]:
    return {**{one.name: one.meaning for one in VARIABLES}, **MEANINGS}


@pytest.mark.parametrize("package", ["actors", "supervision", "logconf"])
def test_every_variable_that_is_read_is_declared(package: str) -> None:
    """A new one belongs into actors/settings/variable_names.py, or into actors/providers/job_variables.py."""
    known = declared().keys() | NOT_OURS
    missing = {place: name for name, place in variables_read(ROOT / package) if name not in known}
    assert missing == {}


def test_every_variable_that_is_declared_is_read() -> None:
    code = "\n".join(
        path.read_text()
        for package in ("actors", "supervision", "logconf")
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("variable_names.py", "job_variables.py")
    )
    imported = {"GREENROOM_HOME", "SIMPLETUNER_ENTERPRISE_CONFIG", "SIMPLETUNER_JOB_POLL_INTERVAL"}
    imported |= {"GREENROOM_URL", "GREENROOM_SOCKET", "GREENROOM_TOKEN_FILE"}
    imported |= {"SIMPLETUNER_APPROVAL_CHECK_INTERVAL", *(name for name in MEANINGS if name.startswith("GREENROOM_"))}
    assert [name for name in declared() if name not in imported and name not in code] == []


def test_exit_statuses_have_names_and_meanings() -> None:
    """In actors/cli/exit_statuses.py, so that the page has all of them."""
    numbers = re.compile(r"\b(?:exit|_exit|Exit)\(\d|exit_code = \d")
    places = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "actors" / "cli").glob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if numbers.search(line)
    }
    assert places == set()
    assert {str(int(one)) for one in ExitStatus} <= set(re.findall(r"\d+", " ".join(EXIT_MEANINGS)))


def test_every_kind_of_provider_has_its_tables() -> None:
    """A new kind belongs into SPECS and SET_BY where its jobs have a spec, or find variables."""
    page = (DOCS / "configuration.md").read_text()
    assert [kind for kind in kinds() if f"#### kind `{kind}`" not in page] == []
    assert SPECS.keys() | {"local"} == set(kinds())


def test_every_fault_point_is_on_its_page() -> None:
    """A point is a constant of a module that passes it."""
    names = re.compile(r'^[A-Z_]+(?:, [A-Z_]+)* = ((?:"[a-z.]+"(?:, )?)+)$', re.MULTILINE)
    sources = [path for folder in ("actors", "supervision") for path in (ROOT / folder).rglob("*.py")]
    passed = re.compile(r"faults\.(point|async_point|carry)\(")
    texts = [text for path in sources if passed.search(text := path.read_text()) or path.name == "faults.py"]
    points = {one for text in texts for line in names.findall(text) for one in re.findall(r'"([a-z.]+)"', line)}
    table = (DOCS / "semantics.md").read_text().partition("\n### Fault points\n")[2].partition("\n## ")[0]
    shown = {
        one for row in table.splitlines() for one in re.findall(r"`([a-z.]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert len(points) > 10
    assert shown == points
