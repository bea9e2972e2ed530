"""A mutant in a process that has imported everything: the code of the one function that is changed is exchanged.

That saves the import, which takes longer than most tests. It holds for a function's body that was not executed while
modules were imported; for whatever else a new process must import the changed module (trial.py).
"""

from __future__ import annotations

import ast
import gc
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType

from generator import mutated
from places import ROOT

_Key = tuple[str, str, int]


class CannotPatch(Exception):
    """This change needs a new import."""


class Imports:
    """Notes which functions are executed until :meth:`over`: what they made of their code stays as it is."""

    def __init__(self) -> None:
        self._executed: set[CodeType] = set()
        sys.setprofile(self._seen)

    def _seen(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            self._executed.add(frame.f_code)

    def over(self, folder: Path) -> Functions:
        """The functions of the modules of a folder, as they are now."""
        sys.setprofile(None)
        executed = {_key(code) for code in self._executed}
        return Functions(gc.get_objects(), str(folder), executed)


def _key(code: CodeType) -> _Key:
    return (code.co_filename, code.co_qualname, code.co_firstlineno)


class Functions:
    """All functions of some modules, by where they stand. ``executed``: those that no exchange reaches any more."""

    def __init__(self, objects: Iterable[object], folder: str, executed: set[_Key]) -> None:
        self._found: dict[_Key, list[FunctionType]] = {}
        self._executed = executed
        for one in objects:
            if type(one) is FunctionType and one.__code__.co_filename.startswith(folder):
                self._found.setdefault(_key(one.__code__), []).append(one)

    def change(self, file: str, number: int) -> None:
        """Exchange the code. Raises :class:`CannotPatch`."""
        path = ROOT / file
        source = path.read_text()
        before, after = (compile(tree, path, "exec") for tree in (ast.parse(source), mutated(source, number)))
        (old, new), *more = [*_differing(before, after)] or [(before, after)]
        found = self._found.get(_key(old), [])
        if more or len({one.__code__ for one in found}) != 1 or _key(old) in self._executed:
            raise CannotPatch(file)
        for one in found:
            try:
                one.__code__ = new
            except ValueError as other_names:  # of the functions around it
                raise CannotPatch(file) from other_names


def _differing(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Functions of a module or of its classes which are not the same, old and new. Raises :class:`CannotPatch`."""
    olds, news = _inner(before), _inner(after)
    if len(olds) != len(news) or _own(before) != _own(after):
        raise CannotPatch(before.co_qualname)
    for old, new in zip(olds, news, strict=True):
        if old.co_flags & inspect.CO_OPTIMIZED:
            if old != new:
                yield old, new
        else:
            yield from _differing(old, new)


def _inner(code: CodeType) -> list[CodeType]:
    return [one for one in code.co_consts if isinstance(one, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """What a module or a class does itself."""
    consts = [repr(one) for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, code.co_names, consts
