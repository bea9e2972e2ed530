"""Simple values, whose types are checked strictly: nothing is converted. What is wrong is raised as :class:`Wrong`.

The validators are for attrs; their messages follow a field's path, and None means that there is no value and passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import attrs

from actors.jobs.os_text import is_utf8
from actors.validation.marked import Ambiguous, plain_value, shown

_LARGEST = 2**63  # what a database and every JSON reader of ours can hold
_OLDEST, _NEWEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Wrong(ValueError):
    """What is wrong with a value, in words that follow its path. ``at``: the keys down to the part that is wrong."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@attrs.frozen(eq=False)
class Format:
    """How a type is written where it is not as JSON has it, for ``Annotated[type, Format(...)]``.

    ``read(value, usual)`` gives the value or raises :class:`Wrong`; ``usual`` reads one as the bare type is read.
    ``schema`` says the same in the words of JSON Schema, for OpenAPI; None: as the bare type.
    """

    read: Callable[[Any, Callable[[Any], Any]], Any]
    schema: Mapping[str, Any] | None = None


def expected(words: str, value: Any, hint: str = "") -> Wrong:
    """The problem that ``value`` has another type than ``words`` say."""
    return Wrong(f"must be {words}, not {shown(value)}{hint}")


def text_fault(text: str) -> str | None:
    """What no text may contain: it would end a C string, or could not be written as UTF-8."""
    if "\0" in text:
        return "must not hold a NUL character"
    if not is_utf8(text):
        return "must not hold half of a surrogate pair"
    return None


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        scalar = isinstance(value, int | float | Ambiguous)
        raise expected("a text", value, f'; put it in quotes: "{shown(value)}"' if scalar else "")
    if (fault := text_fault(value)) is not None:
        raise Wrong(fault)
    return value


def path(value: Any) -> Path:
    """A path."""
    return Path(text(value))


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise expected("true or false", value, _unquote(value, bool))
    return value


def integer(value: Any) -> int:
    """A whole number of at most 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise expected("a whole number", value, _unquote(value, int))
    return _kept(value)


def number(value: Any) -> float:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise expected("a number", value, _unquote(value, int | float))
    if isinstance(value, int):
        return float(_kept(value))
    if not math.isfinite(value):
        raise expected("a finite number", value)
    return float(value)


def plain(value: Any) -> Any:
    """A scalar of plain data, as where anything may stand."""
    match value:
        case None | bool():
            return value
        case str():
            return text(value)
        case int():
            return integer(value)
        case float():
            return number(value)
        case Ambiguous():
            raise Wrong(f'{value.text} can be read in two ways; put it in quotes if it is a text: "{value.text}"')
    raise expected("plain data", value)


def moment(value: Any) -> datetime:
    """An instant, written in ISO 8601 with its offset; UTC."""
    written = text(value)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Wrong(f"must be a moment such as 2026-01-31T09:30:00Z, not {written!r:.80}")
    if not _OLDEST <= found <= _NEWEST:
        raise Wrong(f"must be between the years 1970 and 9000, not {written!r:.80}")
    return found.astimezone(UTC)


def _kept(value: int) -> int:
    if not -_LARGEST <= value < _LARGEST:
        raise Wrong("is a number too large to keep")
    return value


def _unquote(value: Any, kind: Any) -> str:
    """The hint for what would be right without its quotes."""
    bare = plain_value(value) if isinstance(value, str) else value
    right = isinstance(value, str) and isinstance(bare, kind) and (kind is bool or not isinstance(bare, bool))
    return "; take the quotes away" if right else ""


Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


@attrs.frozen
class Fits:
    """A validator of attrs. Raises ``ValueError`` with the field's name and ``words`` where a value is not good.

    ``with_value``: the value is in the message, too.
    """

    is_good: Callable[[Any], object]
    words: str
    with_value: bool = False

    def __call__(self, _: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        """Check one value; None is no value and passes."""
        if value is not None and not self.is_good(value):
            raise ValueError(f"{attribute.name} {self.words}{f', not {value!r:.80}' if self.with_value else ''}")


def fits(is_good: Callable[[Any], object], words: str, *, with_value: bool = False) -> Validator:
    """The validator that lets what ``is_good`` pass, and has ``words`` for the rest."""
    return Fits(is_good, words, with_value)


def at_least(least: int) -> Validator:
    """A number from ``least`` on."""
    return fits(lambda value: value >= least, f"must be at least {least}")


OR_MORE = fits(lambda value: value >= 0, "must be 0 or more")
NOT_EMPTY = fits(len, "must not be empty")
ABSOLUTE = fits(lambda value: PurePath(value).is_absolute(), "must be an absolute path")
