"""Checks that each field of a job request has its type. JSON and job files are read strictly, but not a program's
request.

A value of another type would raise somewhere later, or make a row that nobody can read again. Every request is checked,
so the checks are cheap: a field that has its default is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

import attrs

from actors.jobs.comparing import Goal
from actors.jobs.os_text import CONTROL
from actors.jobs.os_text import shown as readable
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.validation.values import expected

_LARGEST = 2**63
_DEEPEST = 50
"""The most levels of plain data, fewer than every JSON parser accepts."""

Fault = tuple[str, str]
"""The path of a fault, and what is wrong there in words that follow the path."""
Check = Callable[[str, Any], Fault | None]


def type_fault(request: JobRequest) -> Fault | None:
    """The first value of ``request`` that does not have its type; None: all have."""
    for name, usual, check in _CHECKS:
        value = getattr(request, name)
        if value is not usual and (fault := check(name, value)) is not None:
            return fault
    return None


def _not(words: str, path: str, value: Any) -> Fault:
    return path, expected(words, value).message


def _text(path: str, value: Any) -> Fault | None:
    return None if isinstance(value, str) else _not("a text", path, value)


def _name(path: str, value: Any) -> Fault | None:
    """A text that people use to find something."""
    if not isinstance(value, str):
        return _not("a text", path, value)
    if not value:
        return path, "must not be empty"
    return (path, f"must not hold control characters, as {value!r:.80} does") if CONTROL.search(value) else None


def _number(*, above: bool = False) -> Check:
    """A finite number, 0 or more; ``above``: more than 0."""

    def check(path: str, value: Any) -> Fault | None:
        if type(value) not in (int, float) or not -_LARGEST < value < _LARGEST:  # so NaN is none, either
            return _not("a finite number", path, value)
        if value < 0 or (above and not value):
            return path, f"must be {'more than 0' if above else '0 or more'}, not {value:g}"
        return None

    return check


def _whole(least: int | None = None) -> Check:
    def check(path: str, value: Any) -> Fault | None:
        if type(value) is not int or not -_LARGEST <= value < _LARGEST:
            return _not("a whole number", path, value)
        return None if least is None or value >= least else (path, f"must be {least} or more, not {value}")

    return check


def _list(words: str, each: Check | None = None) -> Check:
    """A list; ``words`` say of what."""

    def check(path: str, value: Any) -> Fault | None:
        if not isinstance(value, list | tuple):
            return _not(words, path, value)
        if each is None or (each is _text and set(map(type, value)) == {str}):
            return None
        faults = (each(f"{path}[{index}]", one) for index, one in enumerate(value))
        return next(filter(None, faults), None)

    return check


def _texts_by_name(path: str, value: Any) -> Fault | None:
    if not isinstance(value, Mapping):
        return _not("a mapping", path, value)
    if set(map(type, value)) <= {str} and set(map(type, value.values())) <= {str}:
        return None
    for name, one in value.items():
        if not isinstance(name, str):
            return path, f"its names must be texts, not {name!r:.80}"
        if not isinstance(one, str):
            return _not("a text", f"{path}.{readable(name)}", one)
    return None


def _goals(path: str, value: Any) -> Fault | None:
    """Whether the least or the greatest value is the best, by the name of a series."""
    if (fault := _texts_by_name(path, value)) is not None:
        return fault
    wrong = next(((name, one) for name, one in value.items() if one not in get_args(Goal)), None)
    return wrong and _not("min or max", f"{path}.{readable(wrong[0])}", wrong[1])


def _mapping(path: str, value: Any) -> Fault | None:
    if not isinstance(value, Mapping):
        return _not("a mapping", path, value)
    return _plain(path, value) if value else None


def _plain(path: str, value: Any, levels: int = _DEEPEST) -> Fault | None:
    """Plain data, as JSON holds it: numbers are finite, names are texts."""
    if value is None or isinstance(value, str | bool):
        return None
    if isinstance(value, int):
        return None if -_LARGEST <= value < _LARGEST else (path, "is a number too large to keep")
    if isinstance(value, float):
        return None if math.isfinite(value) else _not("a finite number", path, value)
    if not isinstance(value, Mapping | list | tuple):
        return _not("plain data, as JSON can hold it", path, value)
    if not levels:
        return path.partition(".")[0].partition("[")[0], f"is nested deeper than {_DEEPEST} levels"
    if isinstance(value, Mapping):
        if wrong := [name for name in value if not isinstance(name, str)]:
            return path, f"its names must be texts, not {wrong[0]!r:.80}"
        children = ((f"{path}.{readable(name)}", one) for name, one in value.items())
    else:
        children = ((f"{path}[{index}]", one) for index, one in enumerate(value))
    return next(filter(None, (_plain(below, one, levels - 1) for below, one in children)), None)


def _record(kind: type[Any], checks: Mapping[str, Check]) -> Check:
    """A record of ``kind``, whose fields have ``checks``."""
    defaults = attrs.asdict(kind(), recurse=False)

    def check(path: str, value: Any) -> Fault | None:
        if not isinstance(value, kind):
            return _not(f"of the class {kind.__name__}", path, value)
        for name, usual in defaults.items():
            one = getattr(value, name)
            if one is not usual and (fault := checks[name](f"{path}.{name}", one)) is not None:
                return fault
        return None

    return check


_WORDS = _list("a list of words", _text)
_NAMES = _list("a list of texts", _text)
_RESOURCES = _record(Resources, {"cpus": _whole(0), "gpus": _whole(0), "memory": _whole(1)})
_RERUN = _record(
    Rerun,
    {"times": _whole(), "on": _NAMES, "exit_codes": _list("a list of whole numbers", _whole()), "delay": _number()},
)
_BY_FIELD: Mapping[str, Check] = {
    **{name: _text for name, kind in get_type_hints(JobRequest).items() if kind in (str, str | None)},
    "command": _WORDS,
    "params": _mapping,
    "env": _texts_by_name,
    "env_from": _NAMES,
    "inherited_env": _texts_by_name,
    "spec": _mapping,
    "resources": _RESOURCES,
    "user_levels": _NAMES,
    "config_name": _name,
    "estimated_cost": _number(),
    "priority_override": _whole(),
    "max_attempts": _whole(),
    "max_runtime": _number(above=True),
    "group": _name,
    "after": _list("a list of jobs and groups"),
    "after_mode": _text,
    "notify": _NAMES,
    "rerun": _RERUN,
    "parameters": _mapping,
    "best": _goals,
}
_CHECKS = tuple((name, usual, _BY_FIELD[name]) for name, usual in attrs.asdict(JobRequest(), recurse=False).items())
