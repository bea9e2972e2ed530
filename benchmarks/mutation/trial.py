"""One mutant in a process of its own: ``trial.py FILE NUMBER tests PATH...``, or ``... worlds FIRST LAST`` for worlds.

The module is changed while it is imported; no file is. Exit status 0: nobody noticed; any other: somebody did, and the
last line says who.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import resource
import sys
from pathlib import Path
from types import ModuleType

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
ROOT = Path(sys.path[0])

from generator import mutated  # noqa: E402 - the path to it is set above

CPU_SECONDS = 300
"""What a trial may take: what does not end is noticed by that."""


class _Loader(importlib.machinery.SourceFileLoader):
    number = 0

    def source_to_code(self, data: object, path: object, *, _optimize: int = -1) -> object:  # type: ignore[override]
        tree = mutated(bytes(data).decode(), self.number)  # type: ignore[call-overload]
        return compile(tree, str(path), "exec", optimize=_optimize)

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """Never a compiled file of before."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Finder(importlib.abc.MetaPathFinder):
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


def main(file: str, number: str, how: str, *rest: str) -> int:
    """Try it."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    sys.meta_path.insert(0, _Finder(file, int(number)))
    return tested(rest) if how == "tests" else simulated(int(rest[0]), int(rest[1]))


def tested(paths: tuple[str, ...]) -> int:
    """Run these tests until one fails."""
    import pytest

    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not parts", "--tb=line", *paths]))


def simulated(first: int, last: int) -> int:
    """Run these worlds, of a quarter of an hour, until one is violated."""
    from actors.simulation import simulate

    for seed in range(first, last + 1):
        outcome = simulate(seed, 0.25)
        if outcome.violation is not None:
            print(f"world {seed}: {outcome.rule}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
