"""One mutant in a process of its own, for what cannot be exchanged in a running one (see patch.py).

The request comes as JSON on standard input: ``file``, ``number``, ``tests`` or ``worlds``. The module is changed while
it is imported; no file is. Exit status 0: nobody noticed; any other: somebody did, and the last line says who.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import pytest  # noqa: E402 - the path is set above
from generator import mutated  # noqa: E402
from places import OPTIONS, ROOT  # noqa: E402

CPU_SECONDS = 8
"""Of the processor, for one test or world: many times what any takes. What does not end is noticed by that."""


def limit() -> None:
    """Let the next test or world end this process if it does not end itself."""
    most = int(time.process_time()) + 1 + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


class _Loader(importlib.machinery.SourceFileLoader):
    number = 0

    def source_to_code(self, data: object, path: object, *, _optimize: int = -1) -> object:  # type: ignore[override]
        tree = mutated(bytes(data).decode(), self.number)  # type: ignore[call-overload]
        return compile(tree, str(path), "exec", optimize=_optimize)

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """Never a compiled file of before."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is changed."""

    def __init__(self, file: str, number: int) -> None:
        self._file = file
        self._number = number
        self.name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> object:  # type: ignore[override]
        if name != self.name:
            return None
        loader = _Loader(name, str(ROOT / self._file))
        loader.number = self._number
        return importlib.util.spec_from_file_location(name, loader.path, loader=loader)


def selected(items: Sequence[pytest.Item], tests: Sequence[str]) -> list[pytest.Item]:
    """The items of these ids, files and folders, each once, in this order."""
    known = {item.nodeid: item for item in items}
    found: dict[str, pytest.Item] = {}
    for test in tests:
        if "::" in test:
            found |= {test: known[test]} if test in known else {}
        else:
            found |= {name: item for name, item in known.items() if name.startswith((f"{test}/", f"{test}::"))}
    return list(found.values())


class _Selection:
    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """These, in this order."""
        items[:] = selected(items, self._tests)

    def pytest_runtest_setup(self) -> None:
        """Of each."""
        limit()


def tested(tests: Sequence[str]) -> int:
    """Run these tests until one fails."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    there = [file for file in files if (ROOT / file).exists()]
    if not there:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        status = pytest.main(["-x", *OPTIONS, f"--basetemp={folder}/tests", *there], plugins=[_Selection(tests)])
    return 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else int(status)


def violated(worlds: Sequence[int]) -> str | None:
    """Run these worlds, of a quarter of an hour, until one is violated; by which rule."""
    from actors.simulation import simulate

    for seed in worlds:
        limit()
        outcome = simulate(seed, 0.25)
        if outcome.violation is not None:
            return f"world {seed}: {outcome.rule}"
    return None


def main() -> int:
    """Try it."""
    request = json.load(sys.stdin)
    sys.meta_path.insert(0, Finder(request["file"], request["number"]))
    if "tests" in request:
        return tested(request["tests"])
    if (how := violated(request["worlds"])) is not None:
        print(how)
    return how is not None


if __name__ == "__main__":
    sys.exit(main())
