"""The classes' own validators, asked one by one, and their complaints in the words of a configuration file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

_COMPARED = re.compile(r"'\w+' must be (>=|>|<=|<) (\S+): (.*)", re.DOTALL)
_COMPARISONS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def complaints(kind: type[Any], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the validators of ``kind`` say against ``values``: pairs of a field's name and a message.

    ``attrs`` itself stops at the first one. A validator may look at its instance, so it gets one with all values set.
    """
    stand_in = object.__new__(kind)
    for attribute in attrs.fields(kind):
        value = values.get(attribute.name, attribute.default)
        if value is not attrs.NOTHING and not isinstance(value, attrs.Factory):  # type: ignore[arg-type]
            object.__setattr__(stand_in, attribute.name, value)
    for attribute in attrs.fields(kind):
        if attribute.validator is None or attribute.name not in values:
            continue
        try:
            attribute.validator(stand_in, attribute, values[attribute.name])
        except (ValueError, TypeError) as error:
            yield attribute.name, _message(attribute, error)


def complaint_of_class(kind: type[Any], error: Exception) -> tuple[str, str]:
    """What ``kind`` as a whole said: the field that the message begins with, or ``""``, and the message without it."""
    message = _line(str(error.args[0] if error.args else error))
    for attribute in attrs.fields(kind):
        for separator in (": ", " "):
            if message.startswith(attribute.name + separator):
                return attribute.name, message.removeprefix(attribute.name + separator)
    return "", message


def _message(attribute: attrs.Attribute[Any], error: Exception) -> str:
    message = _line(str(error.args[0] if error.args else error))
    if compared := _COMPARED.fullmatch(message):
        return f"must be {_COMPARISONS[compared[1]]} {compared[2]}, not {compared[3].removesuffix('.0')}"
    options = getattr(attribute.validator, "options", None)
    if options is not None and message.startswith(f"'{attribute.name}' must be in "):
        return f"must be one of {', '.join(map(str, options))}"
    for prefix in (f"'{attribute.name}' ", f"{attribute.name} ", f"{attribute.name}: "):
        message = message.removeprefix(prefix)
    return message


def _line(message: str) -> str:
    return " ".join(message.split())[:400]
