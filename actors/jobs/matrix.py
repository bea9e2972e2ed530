"""A matrix: parameters with their values, and every combination of them, each of which becomes a job.

matrix:
  lr: [0.1, 0.20]                   # used as written: 0.20 stays 0.20
  seed: {from: 1, to: 5}            # both included; `step`: 1 unless given; exact decimal arithmetic
  exclude: [{lr: 0.1, seed: 3}]     # removes what matches all of its keys
  include: [{lr: 0.5, seed: 1}]     # adds whole combinations
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

import attrs

from actors.jobs import maxima
from actors.jobs.maximum import Text
from actors.jobs.os_text import is_utf8
from actors.jobs.suggestions import did_you_mean

EXCLUDE, INCLUDE = "exclude", "include"
_RANGE = ("from", "to", "step")
PARAMETER = re.compile(r"[^\W\d]\w*")
"""The name of a parameter, and so what may stand between the braces of a placeholder."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_DIGITS = 40
_EXACT = 400
"""Digits with which a range is computed: a sum of two numbers of 40 digits and exponents of two digits has fewer."""
_MOST_PRODUCT = 100_000
"""Combinations of which ``exclude`` may leave fewer: each is looked at."""
_MOST_LOOKS = 1_000_000
MOST_EXCLUDES = 1_000
"""Combinations to leave out: each is compared with those that there are."""
_NAME, _VALUE = Text(maxima.NAME), Text(maxima.PATTERN)


class SweepFault(ValueError):
    """What is wrong with a matrix or a placeholder. ``at``: keys down to the part of the request that is meant."""

    def __init__(self, message: str, *at: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@attrs.frozen
class Matrix:
    """``values``: of each parameter, as written. ``exclude`` and ``include``: parts of combinations, and whole ones."""

    values: Mapping[str, tuple[str, ...]]
    exclude: tuple[Mapping[str, str], ...] = ()
    include: tuple[Mapping[str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """The parameters, in the order in which they were written; of a matrix of whole combinations, the first's."""
        return list(self.values or self.include[0])


def matrix_of(data: Any) -> Matrix:
    """The matrix that ``data`` describes, which is plain data as in the module's head.

    Texts are used as they are, other scalars as JSON writes them. Raises :class:`SweepFault`.
    """
    if not isinstance(data, Mapping):
        raise SweepFault("must be a mapping of parameters to their values, such as {lr: [0.1, 0.2]}")
    names = [name for name in data if name not in (EXCLUDE, INCLUDE)]
    if len(names) > maxima.CHOICES:
        raise SweepFault(f"must have at most {maxima.CHOICES} parameters, not {len(names)}")
    values = {name: _values(_checked_name(name), data[name]) for name in names}
    include = _combinations(data.get(INCLUDE), INCLUDE, maxima.BATCH_JOBS)
    for name in include[0] if include and not values else ():
        _checked_name(name, INCLUDE, 0)
    if not values and not (include and include[0]):
        raise SweepFault("names no parameter; give at least one, such as lr: [0.1, 0.2]")
    matrix = Matrix(values, _combinations(data.get(EXCLUDE), EXCLUDE, MOST_EXCLUDES), include)
    _check_exclude(matrix)
    _check_include(matrix)
    return matrix


def combinations(matrix: Matrix) -> list[dict[str, str]]:
    """Every combination once: the product with the first parameter slowest, without ``exclude``, then ``include``.

    Raises :class:`SweepFault` where there are too many or none.
    """
    product = math.prod(map(len, matrix.values.values())) if matrix.values else 0
    if product > (_MOST_PRODUCT if matrix.exclude else maxima.BATCH_JOBS):
        raise _too_many(product)
    patterns = _patterns(matrix)
    if product * len(patterns) > _MOST_LOOKS:
        raise SweepFault(f"has too many patterns for {product} combinations; use fewer patterns", EXCLUDE)
    found = [dict(zip(matrix.values, chosen, strict=True)) for chosen in _product(matrix, patterns)]
    if len(found) + len(matrix.include) > maxima.BATCH_JOBS:
        raise _too_many(len(found) + len(matrix.include))
    names = matrix.names
    have = {tuple(one.values()) for one in found}
    for index, one in enumerate(matrix.include):
        whole = {name: one[name] for name in names}
        if tuple(whole.values()) in have:
            raise SweepFault(f"{_shown(whole)} is among the combinations already", INCLUDE, index)
        have.add(tuple(whole.values()))
        found.append(whole)
    if not found:
        raise SweepFault("leaves no combination", EXCLUDE)
    return found


def _too_many(number: int) -> SweepFault:
    return SweepFault(
        f"makes {number} jobs, and one matrix makes at most {maxima.BATCH_JOBS}; write it as several jobs of a file, "
        "each with a part of the values"
    )


Pattern = tuple[tuple[int, ...], frozenset[tuple[str, ...]]]
"""Places of parameters, and the values there that are excluded."""


def _patterns(matrix: Matrix) -> list[Pattern]:
    names = list(matrix.values)
    by_places: dict[tuple[int, ...], set[tuple[str, ...]]] = {}
    for one in matrix.exclude:
        places = tuple(sorted(names.index(name) for name in one))
        by_places.setdefault(places, set()).add(tuple(one[names[place]] for place in places))
    return [(places, frozenset(excluded)) for places, excluded in by_places.items()]


def _product(matrix: Matrix, patterns: Sequence[Pattern]) -> Iterator[tuple[str, ...]]:
    """The product without what is excluded; what can be excluded by its first values is never built."""
    columns = list(matrix.values.values())
    ending_at: list[list[Pattern]] = [[] for _ in columns]
    for places, excluded in patterns:
        ending_at[places[-1]].append((places, excluded))

    def grown(begun: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        at = len(begun)
        for value in columns[at]:
            longer = (*begun, value)
            if any(tuple(longer[place] for place in places) in excluded for places, excluded in ending_at[at]):
                continue
            if at + 1 == len(columns):
                yield longer
            else:
                yield from grown(longer)

    return grown(()) if columns else iter(())


def _checked_name(name: Any, *at: str | int) -> str:
    if not isinstance(name, str) or not PARAMETER.fullmatch(name):
        message = "cannot be the name of a parameter, which is a letter or _, then letters, digits and _"
        raise SweepFault(message, *at, str(name))
    if name in (EXCLUDE, INCLUDE):
        raise SweepFault(f"no parameter can be called {name}", *at, name)
    if (fault := _NAME.fault(name)) is not None:
        raise SweepFault(f"the name of a parameter {fault}", *at, name)
    return name


def _values(name: str, data: Any) -> tuple[str, ...]:
    if isinstance(data, Mapping):
        return _range(name, data)
    if not isinstance(data, list | tuple):
        raise SweepFault("must be a list of values, or a range such as {from: 1, to: 5}", name)
    if not data:
        raise SweepFault("must have at least one value", name)
    if len(data) > maxima.BATCH_JOBS:
        raise SweepFault(f"must have at most {maxima.BATCH_JOBS} values, not {len(data)}", name)
    values = [_text(one, name, index) for index, one in enumerate(data)]
    seen = set[str]()
    for index, value in enumerate(values):
        if value in seen:
            raise SweepFault(f"{value!r:.80} is given twice", name, index)
        seen.add(value)
    return tuple(values)


def _text(value: Any, *at: str | int) -> str:
    """A value as it is used: a text as written, another scalar as JSON writes it."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            value = str(int(value)) if value.bit_length() <= 128 else None
        case float() if math.isfinite(value):
            value = repr(float(value))
        case Decimal():
            value = str(value)
    if not isinstance(value, str):
        raise SweepFault("a value must be a text or a number", *at)
    if (fault := _VALUE.fault(value)) is not None:
        raise SweepFault(f"a value {fault}", *at)
    if "\0" in value or not is_utf8(value):
        raise SweepFault("a value must be UTF-8 text without NUL characters", *at)
    return value


def _range(name: str, data: Mapping[Any, Any]) -> tuple[str, ...]:
    """``{from, to, step}``: from the first to the last, which is included where a step reaches it."""
    for key in data:
        if key not in _RANGE:
            raise SweepFault(f"unknown key{did_you_mean(str(key), _RANGE)}", name, str(key))
    for key in ("from", "to"):
        if key not in data:
            raise SweepFault("is missing", name, key)
    first, last = _number(data["from"], name, "from"), _number(data["to"], name, "to")
    step = _number(data.get("step", 1), name, "step")
    with localcontext() as context:
        context.prec = _EXACT
        if step == 0 or (last - first) * step < 0:
            raise SweepFault("gives no value: from plus some steps must reach to", name)
        number = int((last - first) // step) + 1
        if number > maxima.BATCH_JOBS:
            shown = number if number < 10**9 else "far too many"
            raise SweepFault(f"has {shown} values, and may have {maxima.BATCH_JOBS}", name)
        if number == 1 and first != last and "step" not in data:
            raise SweepFault("needs a step: in steps of 1 it has one value", name, "step")
        return tuple(format(first + step * index, "f") for index in range(number))


def _number(value: Any, *at: str | int) -> Decimal:
    text = "" if isinstance(value, bool) else _text(value, *at)
    if not _is_number(text):
        raise SweepFault(f"must be a number, such as 0.25, of at most {_DIGITS} characters", *at)
    return Decimal(text)


def _combinations(data: Any, key: str, most: int) -> tuple[Mapping[str, str], ...]:
    """The list under ``exclude`` or ``include``."""
    if data is None:
        return ()
    if not isinstance(data, list | tuple) or not all(isinstance(one, Mapping) for one in data):
        raise SweepFault(f"must be a list of combinations such as {{lr: 0.1}}; no parameter can be called {key}", key)
    if len(data) > most:
        raise SweepFault(f"must have at most {most} combinations, not {len(data)}", key)
    return tuple(
        {str(name): _text(value, key, index, str(name)) for name, value in one.items()}
        for index, one in enumerate(data)
    )


def _check_exclude(matrix: Matrix) -> None:
    for index, one in enumerate(matrix.exclude):
        if not one:
            raise SweepFault("names no parameter, and so would remove everything", EXCLUDE, index)
        for name, value in one.items():
            if name not in matrix.values:
                raise SweepFault(f"is no parameter{did_you_mean(name, matrix.values)}", EXCLUDE, index, name)
            if value not in matrix.values[name]:
                suggested = _same_number(value, matrix.values[name]) or did_you_mean(value, matrix.values[name])
                raise SweepFault(f"{name} has no value {value!r:.80}{suggested}", EXCLUDE, index, name)


def _check_include(matrix: Matrix) -> None:
    for index, one in enumerate(matrix.include):
        for name in one:
            if name not in matrix.names:
                raise SweepFault(f"is no parameter{did_you_mean(name, matrix.names)}", INCLUDE, index, name)
        if missing := [name for name in matrix.names if name not in one]:
            raise SweepFault(f"must be whole: {', '.join(missing[:5])} is missing", INCLUDE, index)


def _is_number(text: str) -> bool:
    return len(text) <= _DIGITS and _NUMBER.fullmatch(text) is not None


def _same_number(value: str, values: Sequence[str]) -> str:
    """The suggestion that one means the same number as it was written among ``values``."""
    if not _is_number(value):
        return ""
    same = [one for one in values if _is_number(one) and Decimal(one) == Decimal(value)]
    return f"; did you mean {same[0]}?" if same else ""


def _shown(combination: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in combination.items())[:200]
