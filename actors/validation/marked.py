"""Values with line marks: what YAML becomes before types are asked for, and what a plain scalar of it means.

A document is plain data (``dict``, ``list``, ``str``, ``int``, ``float``, ``bool``, ``None``), as JSON gives it, with
three additions: mappings and lists know where their parts stand, how a number was written is known
(:func:`as_written`), and a scalar that two readers would take for different things is an :class:`Ambiguous`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from actors.validation.problems import Place

MAX_DEPTH, MAX_NODES = 64, 200_000
_PLAIN_KEY = re.compile(r"[\w-]+")
_SHOWN = 60  # characters of a value that a message repeats


class MappingNode(dict[str, Any]):
    """A mapping; ``places`` has each key's place, ``texts`` those scalars that were written in an unusual way.

    ``size`` counts it with all that is in it, ``height`` its levels, both with aliases followed. ``place``: of the
    whole, where it is a document.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, places: Mapping[str, Place] | None = None) -> None:
        super().__init__(values or {})
        self.places = dict(places or {})
        self.texts: dict[str | int, str] | None = None
        self.place: Place | None = None
        self.size = self.height = 1


class ListNode(list[Any]):
    """A list; ``places`` has each item's place. The rest as in :class:`MappingNode`."""

    def __init__(self, values: Iterable[Any] = (), places: Iterable[Place] = ()) -> None:
        super().__init__(values)
        self.places = list(places)
        self.texts: dict[str | int, str] | None = None
        self.size = self.height = 1


class WrittenFloat(float):
    """A float that knows how it was written: ``1e3``, ``.nan``."""

    text: str


@attrs.frozen
class Ambiguous:
    """A plain scalar that YAML 1.1 and 1.2 read differently: ``no``, ``010``, ``1_000``, ``12:30``."""

    text: str


UNREAD = object()
"""Stands where a value could not be read; its problem has been noted."""


def as_written(data: Any) -> Any:
    """``data`` with each of its scalars as it is written in the document; what is absent stays None."""
    if isinstance(data, Mapping | list):
        texts = getattr(data, "texts", None) or {}
        parts = data.items() if isinstance(data, Mapping) else enumerate(data)
        written = {key: texts.get(key) or as_written(one) for key, one in parts}
        return written if isinstance(data, Mapping) else list(written.values())
    if isinstance(data, WrittenFloat | Ambiguous):
        return data.text
    return str(data).lower() if isinstance(data, bool) else str(data) if isinstance(data, int) else data


def child(data: Any, key: str | int, place: Place | None) -> tuple[Any, Place | None]:
    """The value under ``key`` and its place; ``place`` (the parent's) if that is not known, None if there is no
    value.
    """
    try:
        places: Any = getattr(data, "places", None)
        return data[key], place if places is None else places[key]
    except (LookupError, TypeError):
        return None, place


def all_places(data: Any, path: str = "") -> Iterator[tuple[str, Place]]:
    """The path and place of every key in a document, aliases followed."""
    if isinstance(data, MappingNode):
        for key, value in data.items():
            yield join(path, key), data.places[key]
            yield from all_places(value, join(path, key))
    elif isinstance(data, ListNode):
        for index, value in enumerate(data):
            yield from all_places(value, join(path, index))


def shown(value: Any) -> str:
    """A value as messages show it: short, on one line, texts in quotes."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return _cut(repr(str(value)))
        case Ambiguous() | WrittenFloat():
            return _cut(value.text)
        case int() if value.bit_length() > 1024:
            return "a number of more than 300 digits"
        case int() | float():
            return _cut(str(value))
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return f"a value of type {type(value).__name__}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def join(path: str, key: str | int) -> str:
    """The path of what stands under ``key``: ``jobs[2].env.HOME``; a key of odd characters is quoted."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    key = key if _PLAIN_KEY.fullmatch(key) and len(key) <= _SHOWN else _cut(json.dumps(key, ensure_ascii=True))
    return f"{path}.{key}" if path else key


_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
#: The other numbers and words of https://yaml.org/type/bool.html, int.html and float.html.
_OLD = re.compile(
    r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?",
    re.ASCII,
)
_LONGEST = 400  # characters of a number; the longest exact double has some 770, nobody writes one


def plain_value(text: str) -> Any:
    """The value of ``text`` in YAML if it is written without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        number = WrittenFloat(text if _FLOAT.fullmatch(text) else text.replace(".", ""))
        number.text = text
        return number
    return Ambiguous(text) if _OLD.fullmatch(text) else text
