"""Plain data, such as decoded JSON, into nodes: no places, the same checks."""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from typing import Any

from actors.validation.composing import MAX_DEPTH
from actors.validation.nodes import Entry, Listing, Mapping, Node, Scalar, join
from actors.validation.problems import Problems


def from_data(data: Any, faults: Problems, path: str = "", _depth: int = 1) -> Entry:
    """``data`` as a document. What JSON has no word for, and what is nested too deep, is noted in ``faults``."""
    return Entry(None, _node(data, faults, path, _depth))


def _node(data: Any, faults: Problems, path: str, depth: int) -> Node:
    if data is None or isinstance(data, str | bool | int | float):
        return _scalar(data)
    if depth > MAX_DEPTH:
        faults.add(None, path[:200], f"nested deeper than {MAX_DEPTH} levels")
        return Node()
    if isinstance(data, list | tuple):
        return Listing(tuple(from_data(one, faults, join(path, i), depth + 1) for i, one in enumerate(data)))
    if isinstance(data, AbstractMapping):
        entries = {}
        for key, value in data.items():
            if isinstance(key, str):
                entries[key] = from_data(value, faults, join(path, key), depth + 1)
            else:
                faults.add(None, path, f"a key must be a text, not {type(key).__name__}")
        return Mapping(entries)
    faults.add(None, path, f"must be plain data, not {type(data).__name__}")
    return Node()


def _scalar(value: bool | int | float | str | None) -> Scalar:
    if isinstance(value, str):
        return Scalar(value, value, quoted=True)
    if value is None or isinstance(value, bool):
        return Scalar(value, {None: "null", True: "true", False: "false"}[value])
    if isinstance(value, int) and value.bit_length() > 1024:
        return Scalar(value, "a number of more than 300 digits")
    return Scalar(value, str(value))
