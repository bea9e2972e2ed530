"""Validators of attrs whose words follow a field's path. None is no value and passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import attrs

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def fits(is_good: Callable[[Any], object], words: str, *, told: bool = False) -> Validator:
    """Raises ``ValueError``, the field's name and ``words``, where a value is not good; ``told``: and the value."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not is_good(value):
            raise ValueError(f"{attribute.name} {words}{f', not {value!r:.80}' if told else ''}")

    return check


def at_least(least: int) -> Validator:
    """A number from ``least`` on."""
    return fits(lambda value: value >= least, f"must be at least {least}")


OR_MORE = fits(lambda value: value >= 0, "must be 0 or more")
NOT_EMPTY = fits(len, "must not be empty")
ABSOLUTE = fits(lambda value: PurePath(value).is_absolute(), "must be an absolute path")
