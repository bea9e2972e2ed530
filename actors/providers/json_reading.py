"""Lenient reading of JSON from others: text that a job printed may be in it, and must not prevent reading the rest.

Bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD, and numbers that are not finite become null. The
usual case costs nothing more than :mod:`orjson`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from actors.jobs.os_text import in_utf8

DEEPEST = 100
"""Levels of what is kept; further down it is refused, because not every reader of ours would get there."""
_LATEST = 32_503_680_000  # seconds: the year 3000


def read_json(body: bytes | bytearray, non_finite: float | None = None) -> Any:
    """What ``body`` says. Raises ``ValueError`` where it is not JSON, however it is read.

    ``non_finite``: what stands for a number that is not finite.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        why = str(error)
    try:
        found = json.loads(
            body.decode("utf-8", "replace"),
            parse_int=partial(_number, non_finite),
            parse_float=partial(_number, non_finite),
            parse_constant=lambda _: non_finite,
        )
    except (ValueError, RecursionError):
        raise ValueError(why) from None
    if not is_shallow(found):
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    return _shown(found)


def json_object(data: bytes | bytearray | str, non_finite: float | None = None) -> dict[str, Any] | None:
    """The JSON object in ``data``, read as :func:`read_json` does; None: it is none, or one nested too deeply."""
    body = data.encode("utf-8", "replace") if isinstance(data, str) else data
    try:
        value = read_json(body, non_finite)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    return value if body.count(b"{") + body.count(b"[") <= DEEPEST or is_shallow(value) else None


def repeats_a_key(body: bytes | bytearray) -> bool:
    """Whether an object in ``body`` names something twice, so that two readers may read two things."""

    def once(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _RepeatedError

    try:
        json.loads(body.decode("utf-8", "replace"), object_pairs_hook=once)
    except _RepeatedError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def is_shallow(value: Any) -> bool:
    """Whether ``value`` has at most :data:`DEEPEST` levels."""
    level, depth = [value], 0
    while level:
        if depth > DEEPEST:
            return False
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below.extend(one.values())
            elif isinstance(one, (list, tuple)):
                below.extend(one)
        level, depth = below, depth + 1
    return True


def amount(value: object) -> float | None:
    """``value`` if it is a finite number from 0; None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


def time_of(seconds: object) -> datetime | None:
    """The time of this number of seconds since 1970; None for what is no such number, or after the year 3000."""
    known = amount(seconds)
    return datetime.fromtimestamp(known, UTC) if known and known < _LATEST else None


def amount_in(text: str) -> float | None:
    """The finite number from 0 that ``text`` is; None for any other text."""
    try:
        return amount(float(text))
    except ValueError:
        return None


class _RepeatedError(ValueError):
    """An object names something twice."""


def _number(non_finite: float | None, text: str) -> int | float | None:
    """As orjson reads it: what needs more than 64 bits is a float, what is not finite is not kept."""
    try:
        whole = int(text) if len(text) <= 20 else None
    except ValueError:
        whole = None
    if whole is not None and -(2**63) <= whole < 2**64:
        return whole
    value = float(text)
    return value if math.isfinite(value) else non_finite


def _shown(value: Any) -> Any:
    """``value`` with every text as it can be written down."""
    if isinstance(value, str):
        return in_utf8(value)
    if isinstance(value, list):
        return [_shown(one) for one in value]
    if isinstance(value, dict):
        return {in_utf8(name): _shown(one) for name, one in value.items()}
    return value
