"""Checks of specifications: every error names the field and, if it can, suggests what was meant.

The checks are validators of attrs: `attrs.field(validator=checks.number(least=1))`.
"""

from __future__ import annotations

import difflib
import enum
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs
from attrs.validators import and_

from supervision.errors import SpecError

T = TypeVar("T")
Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that is most similar to `word`; None if none is similar enough."""
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return near[0] if near else None


def suggestion(word: object, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` with the known word most similar to `word`; "" if none is similar enough."""
    near = nearest(word, known)
    return "" if near is None else f"; did you mean {near!r}?"


class Choice(enum.StrEnum):
    """The possible values of one option. Another value raises a SpecError that names the option.

    The option is called as the class, in lower case (`OnGiveUp`: "on_give_up"), unless `__field__` names another.
    """

    @classmethod
    def _missing_(cls, value: object) -> Choice:
        known = [member.value for member in cls]
        option = getattr(cls, "__field__", re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower())
        raise SpecError(option, f"unknown value {value!r}, known are {', '.join(known)}{suggestion(value, known)}")


def must(rule: str, holds: Callable[[Any], bool]) -> Validator:
    """A validator that refuses a value for which `rule` ("be ...") does not hold."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not holds(value):
            raise SpecError(field.name, f"must {rule}, not {value!r}")

    return check


def number(*, least: float = 0.0, more_than: float = -math.inf, finite: bool = False) -> Validator:
    """A validator that accepts only real numbers of at least `least` and above `more_than` (infinity only without
    `finite`).
    """

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise SpecError(field.name, f"must be a number, not {value!r}")
        if value < least or (finite and math.isinf(value)):
            raise SpecError(field.name, f"must be {'finite and ' * finite}at least {least:g}, not {value!r}")
        if value <= more_than:
            raise SpecError(field.name, f"must be more than {more_than:g}")

    return check


def whole(*, least: float = 0) -> Validator:
    """A validator that accepts only whole numbers of at least `least`."""
    kind = must("be a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
    return and_(kind, must(f"be at least {least}", lambda value: value >= least))


def instance(kind: type) -> Validator:
    """A validator that accepts only instances of `kind`."""
    return must(f"be a {kind.__name__}", lambda value: isinstance(value, kind))


name = must("be a non-empty string", lambda value: isinstance(value, str) and value != "")
flag = must("be True or False", lambda value: isinstance(value, bool))


def checked_arguments(cls: type[T]) -> type[T]:
    """Turn the TypeError for an unknown or missing argument of `cls` into a SpecError that names the argument."""
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
                    raise SpecError(name, f"{cls.__name__} has no such field{suggestion(name, known)}") from mismatch
            for name in known[len(args) :]:
                if signature.parameters[name].default is inspect.Parameter.empty and name not in options:
                    raise SpecError(name, f"missing: {cls.__name__} needs it") from mismatch
            raise

    cls.__init__ = init  # type: ignore[assignment,method-assign]
    return cls
