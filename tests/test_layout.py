"""The layout of the project: layers, public names, sizes and habits. What is checked here is checked nowhere else."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("actors", "supervision", "logconf")
ALL_CODE = (*PACKAGES, "tests", "benchmarks", "docs", "examples")
TOP_LEVEL = {
    "actors", "supervision", "logconf", "examples", "tests", "docs", "benchmarks", "pyproject.toml", "README.md",
    "CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "Makefile", ".ci", ".gitignore",
}  # fmt: skip

PUBLIC = {
    "logconf": {
        "configure_structured_logging", "init_from_env", "get_logger", "LogContext", "CorrelationIDFilter",
        "get_correlation_id", "set_correlation_id", "clear_correlation_id",
    },
    "supervision": {
        "Supervisor", "ChildSpec", "Restart", "Strategy", "Backoff", "Report", "open_supervisor", "heartbeat",
        "ChildStartError", "RestartIntensityReached", "ChildHung", "FaultPlan",
    },
    "actors": {
        "open_runtime", "Runtime", "Selection", "Settings", "JobRequest", "Job", "Event", "Actor", "ActorRef",
        "Envelope", "BackgroundTaskManager", "get_task_manager", "start_background_tasks", "stop_background_tasks",
        "get_enterprise_config",
    },
}  # fmt: skip

# The borders at which everything may be caught, each for its reason (supervisor, actor loop, the actors' cycle,
# guard around a provider, formatter). A new one is a decision: write it here.
BROAD_EXCEPT = {
    "actors/api/app.py": "one request's fault is logged and ends that request only",
    "actors/background.py": "an error that left a system task would end the host's trio run",
    "actors/kernel": "the actor loop answers its caller, then raises again",
    "actors/net/connections.py": "one connection's crash must not end its server",
    "actors/notifier.py": "one delivery's fault must not end the others",
    "actors/poller/watch.py": "one bad round must not end the watch over the others",
    "actors/providers/guarded_calls.py": "whatever a provider raises is classified",
    "actors/simulation": "a killed process and a client may meet anything; what nobody injected is judged",
    "logconf": "a logging call never raises",
    "supervision": "a child's end is judged, never thrown",
}


def files(packages: tuple[str, ...] = PACKAGES) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return listed.stdout.split() if listed.returncode == 0 else [name(path) for path in files()]


def test_the_top_level_holds_only_what_the_frame_names() -> None:
    assert {path.split("/")[0] for path in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("package", sorted(PUBLIC))
def test_the_public_names_are_there(package: str) -> None:
    module = importlib.import_module(package)
    for public in PUBLIC[package]:
        assert getattr(module, public) is not None
        assert public in module.__all__


def test_a_file_has_one_subject_and_at_most_300_lines() -> None:
    long = {name(path): count for path in files(ALL_CODE) if (count := len(path.read_text().splitlines())) > 300}
    assert long == {}


def test_a_function_has_at_most_50_lines() -> None:
    long = {}
    for path in files(ALL_CODE):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 50:
                    long[f"{name(path)}:{node.name}"] = lines
    assert long == {}


def test_everything_public_says_what_it_is() -> None:
    silent = []
    for path in files():
        tree = ast.parse(path.read_text())
        if ast.get_docstring(tree) is None and path.name != "__main__.py":
            silent.append(name(path))
        silent += [
            f"{name(path)}:{node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ]
    assert silent == []


def test_everything_is_caught_only_at_the_named_borders() -> None:
    broad = re.compile(r"except\s*(\(?(Base)?Exception(Group)?\b|:)")
    elsewhere = [
        f"{name(path)}:{number}"
        for path in files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if broad.search(line) and not any(name(path).startswith(border) for border in BROAD_EXCEPT)
    ]
    assert elsewhere == []


def test_no_test_really_sleeps() -> None:
    sleeping = [
        f"{name(path)}:{number}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\btime\.sleep\(", line) and "child process" not in line and path.name != "test_layout.py"
    ]
    assert sleeping == []


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert [name(path) for path in files() if marks.search(path.read_text())] == []


def test_the_test_folders_are_no_packages() -> None:
    """tests/supervision/__init__.py would shadow the real package."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


# Packages with an import cycle that is known. Empty this set; add nothing.
def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_by(path: Path, modules: set[str]) -> set[str]:
    """The modules of ours that a file imports, wherever in it: at run time, inside a function, for types alone."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            found |= {full if (full := f"{source}.{alias.name}") in modules else source for alias in node.names}
    return (found & modules) - {module_of(path)}


def import_cycles(graph: dict[str, set[str]]) -> list[frozenset[str]]:
    """The groups of modules that import one another, directly or not: Tarjan's strongly connected components."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[frozenset[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                cycles.append(frozenset(group))

    for module in graph:
        if module not in number:
            visit(module)
    return cycles


def test_no_modules_import_one_another() -> None:
    """Imports for types alone count: files that cannot be understood without each other are one subject."""
    modules = {module_of(path): path for path in files()}
    graph = {module: imported_by(path, set(modules)) for module, path in modules.items()}
    cycles = import_cycles(graph)
    assert [sorted(cycle) for cycle in cycles] == [], "break the cycle: move what both need into a third file"


def test_a_cycle_is_found() -> None:
    assert import_cycles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [frozenset("abc")]


def test_the_state_pictures_show_the_tables() -> None:
    """Stale? `python docs/draw_states.py` draws them anew."""
    command = [sys.executable, "docs/draw_states.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


HEAVY = {"sqlalchemy", "alembic", "httpx", "hypercorn", "starlette", "rich"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import logconf", HEAVY | {"trio", "attrs"}),
        ("import supervision", HEAVY),
        ("import actors", HEAVY | {"trio"}),
        ("import actors.kernel", HEAVY),
        ("import actors.jobs.scheduling", HEAVY | {"trio"}),
        ("import actors.store.store", {"alembic"}),
    ],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, absent: set[str]) -> None:
    assert loaded_by(statement) & absent == set()
