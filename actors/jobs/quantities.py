"""Durations and sizes as people write them: the one reader for settings, variables, options, HTTP and job files.

A duration is ``90``, ``90s``, ``15m`` (minutes), ``2h``, ``1.5h``, ``1d12h`` or ``2w``; a size is ``1073741824``,
``8GiB`` (2^30 bytes each) or ``8GB`` (10^9). A bare number of a duration has the unit that its key names
(``timeout_hours: 24``), else seconds; a written unit wins. A class that is read from outside gives such a field one of
the types below: :mod:`actors.validation` reads it, and OpenAPI describes it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

import attrs

SECOND, HOUR, DAY = 1, 3600, 86_400
_UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": 60, "s": SECOND}
_BYTES = {"B": 1, "kB": 1000, **{f"{p}B": 1000 ** (i + 1) for i, p in enumerate("KMGT")}}
_BYTES |= {f"{p}iB": 1024 ** (i + 1) for i, p in enumerate("KMGT")}

_AMOUNT = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_NUMBER = re.compile(r"\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_DURATION = re.compile("".join(f"(?:{_AMOUNT}{unit})?" for unit in _UNITS), re.ASCII)
_PART = re.compile(r"([0-9.]+)([a-zA-Z]*)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)", re.ASCII)
_SUFFIXES = ("seconds", "hours", "days")

_TOO_MANY_BYTES = 2**63
"""More than a database can hold."""

MOST = 10**10
"""Seconds of the longest duration, some 317 years: any of them added to a date is still a date."""
LONGEST = 32
"""Characters of a duration or a size."""


def seconds_of(text: str, unit: float = SECOND) -> float:
    """The seconds that ``text`` means; ``unit``: seconds of one, where a number stands alone.

    Raises ``ValueError``, in words that follow the name of what was given.
    """
    if 0 < len(text) <= LONGEST:
        if _NUMBER.fullmatch(text):
            return float(text) * unit
        if _DURATION.fullmatch(text):
            return float(sum(Decimal(number) * _UNITS[name] for number, name in _PART.findall(text)))
    raise ValueError(f"must be a duration such as 90s, 15m, 2h or 1d12h, not {text!r:.80}{_hint(text)}")


def wait_of(text: str) -> float:
    """The seconds of a wait, above 0. Raises ``ValueError``, in words that follow the name of what was given."""
    seconds = seconds_of(text)
    if not 0 < seconds <= MOST:
        raise ValueError("must be above 0")
    return seconds


def bytes_of(text: str) -> int:
    """The bytes that ``text`` means. Raises ``ValueError``, in words that follow the name of what was given."""
    found = _SIZE.fullmatch(text)
    if found is not None and (found[2] in _BYTES or (not found[2] and "." not in text)):
        if (size := int(Decimal(found[1]) * _BYTES.get(found[2], 1))) >= _TOO_MANY_BYTES:
            raise ValueError(f"must be less than 8,388,608TiB, not {text!r:.80}")
        return size
    hint = ""
    if found is not None and len(prefix := found[2].upper()) == 1 and f"{prefix}B" in _BYTES:
        power = "KMGT".index(prefix) + 1
        hint = f": write {found[1]}{prefix}iB (2^{10 * power} bytes each) or {found[1]}{prefix}B (10^{3 * power})"
    elif found is not None and (near := [unit for unit in _BYTES if unit.upper() == found[2].upper()]):
        hint = f"; did you mean {found[1]}{near[-1]}?"
    raise ValueError(f"must be a number of bytes or a size such as 8GiB or 8GB, not {text!r:.80}{hint}")


def _hint(text: str) -> str:
    """What is wrong with a duration, where that can be said."""
    parts = _PART.findall(text)
    if len(text) > LONGEST or not parts or "".join(map("".join, parts)) != text:
        return ""
    *before, (number, last) = parts
    if unknown := [unit for _, unit in before if unit not in _UNITS] or [unit for unit in [last] if unit not in _UNITS]:
        if unknown != [""]:
            return f": {unknown[0]!r} is not a unit; units are w, d, h, m (minutes) and s"
        smaller = [unit for unit in _UNITS if _UNITS[unit] < _UNITS[before[-1][1]]] if before else []
        return f": {number} has no unit; write {text}{smaller[0]}" if smaller else ""
    return ": write each unit once, the largest first"


@attrs.frozen
class Duration:
    """Marks a field as a duration; ``unit``: the seconds of one, in the record and where a number stands alone."""

    unit: int = SECOND
    whole: bool = False


@attrs.frozen
class Size:
    """Marks a field as a size in bytes."""


Seconds = Annotated[float, Duration()]
WholeSeconds = Annotated[int, Duration(whole=True)]
Hours = Annotated[float, Duration(HOUR)]
Days = Annotated[float, Duration(DAY)]
Bytes = Annotated[int, Size()]

PATTERN = f"^(?:{_NUMBER.pattern}|(?=[0-9]){_DURATION.pattern})$"
"""A duration as a regular expression of JSON Schema."""


def without_unit(key: str) -> str | None:
    """``timeout`` for ``timeout_hours``: how a duration's key may be written, too; None where it names no unit."""
    return next((key.removesuffix(f"_{suffix}") for suffix in _SUFFIXES if key.endswith(f"_{suffix}")), None)
