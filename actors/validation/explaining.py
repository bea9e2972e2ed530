"""The errors of cattrs as problems: the place of the value, its path, and what is wrong with it.

cattrs notes on each error through which field or item it came. Following those notes and the data side by side gives
the path, and the line if the data knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, get_type_hints

import attrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

from actors.jobs.suggestions import did_you_mean, suggestion
from actors.validation.marked import UNREAD, child, join
from actors.validation.problems import Place, Problems
from actors.validation.values import Wrong

Keys = Callable[[type[Any], Any], tuple[dict[str, str], AbstractSet[str]]]
"""Of a class and data: its fields, each with the key that it has there; and further keys that may stand there."""

_MOST_SUGGESTIONS = 100
"""The most suggestions for one document: a suggestion costs more than the rest of its problem, and nobody reads so
many.
"""
_COMPARED = re.compile(r"'\w+' must be (>=|>|<=|<) (\S+): (.*)", re.DOTALL)
_COMPARISONS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def explain(error: Exception, data: Any, place: Place | None, path: str, problems: Problems, keys: Keys) -> None:
    """Note every problem of ``data`` that ``error`` holds. Raises ``error`` itself where it is a fault of ours."""
    if data is UNREAD:
        return  # its problem has been noted
    if isinstance(error, ExceptionGroup):
        kind = error.cl if isinstance(error, ClassValidationError) else None
        for one in error.exceptions:
            _part(one, kind, data, place, path, problems, keys)
    elif isinstance(error, Wrong):
        for step in error.at:
            (data, place), path = child(data, step, place), join(path, step)
        problems.add(place, path, error.message)
    elif isinstance(error, ValueError):
        problems.add(place, path, _line(error))
    else:
        raise error


def _part(
    error: Exception, kind: Any, data: Any, place: Place | None, path: str, problems: Problems, keys: Keys
) -> None:
    """One of the errors in a group; ``kind`` is the class that was being read, None for a list or mapping."""
    note = _note(error)
    if note is not None:
        key = keys(kind, data)[0][note.name] if isinstance(note, AttributeValidationNote) else note.index
        if isinstance(error, KeyError) and not (isinstance(data, Mapping) and key in data):
            problems.add(place, join(path, key), "is missing")
        else:
            below, there = child(data, key, place)
            explain(
                error, below, there, join(path, key if isinstance(data, list | tuple) else str(key)), problems, keys
            )
    elif isinstance(error, ForbiddenExtraKeysError):
        written, also = keys(error.cl, data)
        for key in [key for key in data if key in error.extra_fields]:
            known = [*written.values(), *also]
            suggested = (
                _suggestion(str(key)[:80], known, error.cl, written, keys) if len(problems) < _MOST_SUGGESTIONS else ""
            )
            problems.add(child(data, key, place)[1], join(path, str(key)), f"unknown key{suggested}")
    elif kind is not None and isinstance(error, ValueError) and not isinstance(error, Wrong | ExceptionGroup):
        name, message = _of_class(kind, error)
        there = child(data, name, place)[1] if name else place
        problems.add(there, join(path, name) if name else path, message)
    else:
        explain(error, data, place, path, problems, keys)


def _suggestion(wrong: str, known: list[str], kind: Any, written: Mapping[str, str], keys: Keys) -> str:
    """The suggestion about an unknown key of ``kind``: a key of its own that is near, or one of a mapping in it."""
    if near := suggestion(wrong, known):
        return near
    for name, of in get_type_hints(kind).items():
        if name in written and attrs.has(of):
            below = {key: f"{written[name]}.{key}" for key in keys(of, None)[0].values()}
            if found := next((below[key] for key in (wrong, f"{wrong}s") if key in below), None):
                return f"; did you mean {found}?"
    return did_you_mean(wrong, known)


def _note(error: Exception) -> AttributeValidationNote | IterableValidationNote | None:
    notes = getattr(error, "__notes__", ())
    return next((one for one in notes if isinstance(one, AttributeValidationNote | IterableValidationNote)), None)


def message_of(error: ValueError, attribute: attrs.Attribute[Any]) -> str:
    """What a validator of ``attribute`` said, in words that follow the field's path."""
    message = _line(error)
    if compared := _COMPARED.fullmatch(message):
        return f"must be {_COMPARISONS[compared[1]]} {compared[2]}, not {compared[3].removesuffix('.0')}"
    options = getattr(attribute.validator, "options", None)
    if options is not None and message.startswith(f"'{attribute.name}' must be in "):
        return f"must be one of {', '.join(map(str, options))}"
    for prefix in (f"'{attribute.name}' ", f"{attribute.name} ", f"{attribute.name}: "):
        message = message.removeprefix(prefix)
    return message


def _of_class(kind: type[Any], error: ValueError) -> tuple[str, str]:
    """What ``kind`` as a whole said: the field that the message begins with, or ``""``, and the message without it."""
    message = _line(error)
    for attribute in attrs.fields(kind):
        for separator in (": ", " "):
            if message.startswith(attribute.name + separator):
                return attribute.name, message.removeprefix(attribute.name + separator)
    return "", message


def _line(error: ValueError) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())[:400]
