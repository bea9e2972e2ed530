"""Checking specifications: every complaint names the field and, where it can, guesses what was meant."""

from __future__ import annotations

import difflib
import enum
import functools
import inspect
import math
from collections.abc import Iterable
from typing import Any, TypeVar

from supervision.errors import SpecError

T = TypeVar("T")
E = TypeVar("E", bound=enum.StrEnum)


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`; None where none is near."""
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return near[0] if near else None


def guess(word: object, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word nearest to `word`, or nothing where none is near."""
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {near!r}?"


def choice(field: str, kind: type[E], value: object) -> E:
    """The member of `kind` that `value` is or spells; SpecError where there is none."""
    if isinstance(value, str):
        try:
            return kind(value)
        except ValueError:
            pass
    known = [member.value for member in kind]
    raise SpecError(field, f"unknown value {value!r}, known are {', '.join(known)}{guess(value, known)}")


def number(field: str, value: object, *, least: float = 0.0, finite: bool = False) -> None:
    """Refuse what is not a real number of at least `least` (inf allowed unless `finite`)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise SpecError(field, f"must be a number, not {value!r}")
    if value < least or (finite and math.isinf(value)):
        raise SpecError(field, f"must be {'finite and ' if finite else ''}at least {least:g}, not {value!r}")


def name(field: str, value: object) -> None:
    """Refuse what is not a string with something in it."""
    if not isinstance(value, str) or not value:
        raise SpecError(field, f"must be a non-empty string, not {value!r}")


def instance(field: str, kind: type, value: object) -> None:
    """Refuse what is not a `kind`."""
    if not isinstance(value, kind):
        raise SpecError(field, f"must be a {kind.__name__}, not {value!r}")


def positive(field: str, value: object) -> None:
    """Refuse what is not a number above zero."""
    number(field, value)
    if value == 0:
        raise SpecError(field, "must be more than 0")


def whole(field: str, value: object, *, least: int = 0) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(field, f"must be a whole number, not {value!r}")
    if value < least:
        raise SpecError(field, f"must be at least {least}, not {value}")


def flag(field: str, value: object) -> None:
    """Refuse what is not True or False: `"no"` would be true."""
    if not isinstance(value, bool):
        raise SpecError(field, f"must be True or False, not {value!r}")


def checked_arguments(cls: type[T]) -> type[T]:
    """Make a call of `cls` with an unknown or a missing argument a SpecError that names it, not a TypeError."""
    original: Any = cls.__init__
    signature = inspect.signature(original)
    known = [name for name in signature.parameters if name != "self"]

    @functools.wraps(original)
    def init(self: T, /, *args: Any, **options: Any) -> None:
        try:
            original(self, *args, **options)
        except TypeError as mismatch:
            for name in options:
                if name not in known:
                    raise SpecError(name, f"{cls.__name__} has no such field{guess(name, known)}") from mismatch
            for name in known[len(args) :]:
                if signature.parameters[name].default is inspect.Parameter.empty and name not in options:
                    raise SpecError(name, f"missing: {cls.__name__} needs it") from mismatch
            raise

    cls.__init__ = init  # type: ignore[assignment,method-assign]
    return cls
