"""``submit --sweep``: parameters and their values on a command line, as the matrix of a request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

_RANGE = re.compile(r"([-+]?[0-9]+)\.\.([-+]?[0-9]+)(?:\.\.([-+]?[0-9]+))?")
_LIKE_A_RANGE = re.compile(r"[^,/]+\.\.[^,/]+")
_HINT = "--sweep"


def matrix_of(given: tuple[str, ...]) -> dict[str, Any]:
    """The matrix for texts such as ``lr=0.1,0.2`` and ``seed=1..5``; the server checks it as a whole.

    Raises ``click.BadParameter``.
    """
    matrix: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not name or not equals:
            raise _wrong(f"must be NAME=VALUES, such as lr=0.1,0.2 or seed=1..5, not {one!r:.80}")
        if name in matrix:
            raise _wrong(f"{name} is given twice; list all of its values in one")
        if name in ("exclude", "include"):
            raise _wrong(f"no parameter can be called {name}; a job file can leave combinations out")
        matrix[name] = _values(name, text)
    return matrix


def _values(name: str, text: str) -> Any:
    if text.startswith("["):
        return _json_list(name, text)
    if found := _RANGE.fullmatch(text):
        first, last, step = found.groups()
        return {"from": first, "to": last, **({} if step is None else {"step": step})}
    if _LIKE_A_RANGE.fullmatch(text):
        raise _wrong(f"{name}: a range is of whole numbers, such as 1..5 or 0..100..10; list other values: {name}=A,B")
    values = text.split(",")
    if "" in values:
        raise _wrong(f"""{name}: a value is empty; as a JSON list it may be: {name}='["", "a,b"]'""")
    return values


def _json_list(name: str, text: str) -> list[Any]:
    """The values of a JSON list, with numbers as they are written in it."""
    import json

    try:
        found = json.loads(text, parse_int=str, parse_float=str)
    except ValueError as error:
        raise _wrong(f"{name}: begins as a JSON list and is none: {error}") from None
    return list(found)


def _wrong(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint=_HINT)


def directory(cwd: str | None) -> str:
    """The working directory of a sweep: ``cwd`` may have placeholders; braces of the present directory stay as they
    are.
    """
    here = str(Path.cwd()).replace("{", "{{").replace("}", "}}")
    return str(Path(here) / (cwd or "."))
