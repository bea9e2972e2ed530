"""A document as values with places: what YAML text and plain data become before types are asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as AbstractMapping

import attrs

from actors.validation.problems import Place

_PLAIN_KEY = re.compile(r"[\w-]+")
_SHOWN = 60  # characters of a value that a message repeats


class Ambiguous:
    """The value of a plain scalar that YAML 1.1 and 1.2 read differently: ``no``, ``010``, ``1_000``, ``12:30``."""


AMBIGUOUS = Ambiguous()


@attrs.frozen(kw_only=True)
class Node:
    """A value. ``size`` counts it with all that is in it, ``height`` its levels, both with aliases followed.

    A plain :class:`Node` is a value that could not be read; its fault has been noted already.
    """

    size: int = 1
    height: int = 1


@attrs.frozen
class Scalar(Node):
    """A value without parts. ``text`` is how it was written, without quotes; ``quoted`` tells whether it had any."""

    value: bool | int | float | str | Ambiguous | None
    text: str
    quoted: bool = False


@attrs.frozen
class Entry:
    """A value at the place where it stands: its key's place in a mapping, its own in a list."""

    place: Place | None
    node: Node


@attrs.frozen
class Listing(Node):
    """Values in order."""

    items: tuple[Entry, ...]


@attrs.frozen
class Mapping(Node):
    """Values under keys."""

    entries: AbstractMapping[str, Entry]


def is_nothing(node: Node) -> bool:
    """Whether nothing stands there: a key without a value, ``null`` or ``~``."""
    return isinstance(node, Scalar) and node.value is None


def shown(node: Node) -> str:
    """A value as a message repeats it: short, on one line, texts in quotes."""
    match node:
        case Listing():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=str(), text=text):
            return _cut(repr(text))
        case Scalar(text=text):
            return _cut(text)
    return "something else"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def join(path: str, key: str | int) -> str:
    """The path of what stands under ``key``: ``jobs[2].env.HOME``; a key of odd characters is quoted."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    key = key if _PLAIN_KEY.fullmatch(key) and len(key) <= _SHOWN else _cut(json.dumps(key, ensure_ascii=True))
    return f"{path}.{key}" if path else key
