"""The simple types, read strictly: each reader gives ``(value, None)`` or ``(None, what is wrong)``."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.jobs.os_text import is_utf8
from actors.validation.nodes import AMBIGUOUS, Node, Scalar, shown
from actors.validation.scalars import resolve

_Read = tuple[Any, str | None]
_LARGEST = 2**63  # what a database and every JSON reader of ours can hold

WORDS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path", Any: "plain data",
}  # fmt: skip


def text_fault(text: str) -> str | None:
    """What no text of ours may hold: it would end a C string, or could not be written as UTF-8."""
    if "\0" in text:
        return "must not hold a NUL character"
    if not is_utf8(text):
        return "must not hold half of a surrogate pair"
    return None


def _text(node: Node) -> _Read:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node.value, text_fault(node.value)
    if isinstance(node, Scalar) and node.value is not None:
        return None, f'must be a text, not {shown(node)}; put it in quotes: "{shown(node)}"'
    return None, f"must be a text, not {shown(node)}"


def _path(node: Node) -> _Read:
    value, fault = _text(node)
    return (None, fault) if fault else (Path(value), None)


def _bool(node: Node) -> _Read:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value, None
    return None, f"must be true or false, not {shown(node)}{_unquote(node, bool)}"


def _int(node: Node) -> _Read:
    value = _number(node)
    if isinstance(value, int):
        return (value, None) if -_LARGEST <= value < _LARGEST else (None, "is a number too large to keep")
    return None, f"must be a whole number, not {shown(node)}{_unquote(node, int)}"


def _float(node: Node) -> _Read:
    value = _number(node)
    if value is None:
        return None, f"must be a number, not {shown(node)}{_unquote(node, int | float)}"
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return None, "is a number too large to keep"
    return (float(value), None) if math.isfinite(value) else (None, f"must be a finite number, not {shown(node)}")


def _any(node: Node) -> _Read:
    if not isinstance(node, Scalar):
        return None, None
    if node.value is AMBIGUOUS:
        return None, f'{shown(node)} can be read in two ways; put it in quotes if it is a text: "{shown(node)}"'
    if isinstance(node.value, str):
        return _text(node)
    if isinstance(node.value, bool) or node.value is None:
        return node.value, None
    return _int(node) if isinstance(node.value, int) else _float(node)


def _number(node: Node) -> int | float | None:
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _unquote(node: Node, kind: Any) -> str:
    """The hint for what would be right without its quotes."""
    if isinstance(node, Scalar) and node.quoted:
        plain = resolve(node.text).value
        if isinstance(plain, kind) and (kind is bool or not isinstance(plain, bool)):
            return "; take the quotes away"
    return ""


READERS: dict[Any, Callable[[Node], _Read]] = {
    str: _text, int: _int, float: _float, bool: _bool, Path: _path, Any: _any,
}  # fmt: skip
