"""Durations and sizes among the fields of a class: how they are read, and their keys without a unit.

How they are written says :mod:`actors.jobs.quantities`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, TypeVar, get_args, get_type_hints

import attrs

from actors.jobs import quantities
from actors.jobs.quantities import DAY, HOUR, SECOND, Duration, Size, without_unit
from actors.validation.values import Format, Wrong, number

T = TypeVar("T")
_NAMES = {SECOND: "Seconds", HOUR: "Hours", DAY: "Days"}


@attrs.frozen
class InSeconds:
    """A duration that stood under a key without a unit: a bare number is seconds, whatever unit the field has."""

    written: Any


def form_of(extra: Any) -> Format | None:
    """The format that an annotation asks for; None: it asks for none."""
    if isinstance(extra, Format):
        return extra
    if isinstance(extra, Size):
        return _SIZE
    return _duration(extra) if isinstance(extra, Duration) else None


def _size(value: Any, usual: Callable[[Any], Any]) -> Any:
    return _read(quantities.bytes_of, value) if isinstance(value, str) else usual(value)


_SIZE = Format(
    _size,
    {"type": ["integer", "string"], "maxLength": quantities.LONGEST, "description": "Bytes, or a size such as 24GiB"},
)


@cache
def _duration(kind: Duration) -> Format:
    def read(value: Any, usual: Callable[[Any], Any]) -> Any:
        unit, value = (SECOND, value.written) if isinstance(value, InSeconds) else (kind.unit, value)
        if isinstance(value, str):
            value = _read(partial(quantities.seconds_of, unit=unit), value) / kind.unit
        elif isinstance(value, int | float) and not isinstance(value, bool) and unit != kind.unit:
            value = number(value) * unit / kind.unit
        if kind.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        found = usual(value)
        if abs(found) > quantities.MOST / kind.unit:
            raise Wrong("is a duration too long to keep")
        return found

    words = f"{_NAMES[kind.unit]}, or a duration such as 90s, 15m, 1.5h or 1d12h"
    base = "integer" if kind.whole else "number"
    schema = {"type": [base, "string"], "maxLength": quantities.LONGEST, "pattern": quantities.PATTERN}
    return Format(read, {**schema, "description": words})


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise Wrong(str(error)) from None


def aliases(kind: type[Any]) -> Mapping[str, str]:
    """The durations among the fields of ``kind`` whose names end with a unit, each with the key without it."""
    hints, fields = get_type_hints(kind, include_extras=True), attrs.fields_dict(kind)
    found = {name: without_unit(name) for name in fields if _is_duration(hints[name])}
    return {name: alias for name, alias in found.items() if alias is not None and alias not in fields}


def _is_duration(kind: Any) -> bool:
    """Whether a value of this type, or of one arm of a union, is a duration."""
    return any(isinstance(one, Duration) or _is_duration(one) for one in get_args(kind))


def as_written(value: Any, kind: Any) -> str | None:
    """``value`` of a field of type ``kind`` as a file has it: ``10m``, ``2GiB``; None for any other type."""
    if value is None:
        return None
    for one in (kind, *get_args(kind)):
        for extra in getattr(one, "__metadata__", ()):
            if isinstance(extra, Duration):
                return _duration_text(value * extra.unit)
            if isinstance(extra, Size):
                return _size_text(value)
    return None


def _duration_text(seconds: float) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (60, "m")):
        if seconds and seconds % unit == 0:
            return f"{seconds // unit:.0f}{name}"
    return f"{seconds:.12g}s"


def _size_text(size: int) -> str:
    for power, name in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size and size % (1 << power) == 0:
            return f"{size >> power}{name}"
    return str(size)


def with_units(data: Mapping[Any, Any], short: Mapping[str, str]) -> Mapping[Any, Any]:
    """``data`` with the keys of fields where it has those of ``short``, under which a bare number is seconds."""
    given = [alias for alias in short if alias in data]
    if not given:
        return data
    found = dict(data)
    for alias in given:
        value, key = found.pop(alias), short[alias]
        if key in found:
            raise Wrong(f"stands beside {key}; keep one of the two", alias)
        found[key] = InSeconds(value) if isinstance(value, int | float | str) else value
    return found
