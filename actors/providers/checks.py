"""What options of providers are held to, as validators of attrs: each field by itself, so that all faults are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import attrs

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def fits(is_good: Callable[[Any], object], words: str) -> Validator:
    """A validator: raises ``ValueError``, the field's name and ``words``, where a value is not good; None is."""

    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and not is_good(value):
            raise ValueError(f"{attribute.name} {words}")

    return check


def at_least(least: int) -> Validator:
    """A number from ``least`` on."""
    return fits(lambda value: value >= least, f"must be at least {least}")


OR_MORE = fits(lambda value: value >= 0, "must be 0 or more")
ABSOLUTE = fits(lambda value: PurePath(value).is_absolute(), "must be an absolute path")
