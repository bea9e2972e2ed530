"""JSON that jobs and providers write, read as generously as it can be kept: programs write NaN, JSON has none."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

_LARGEST = 2**63 - 1


def json_object(data: bytes | str) -> dict[str, Any] | None:
    """The JSON object in ``data``; None: it is none, or one that is nested too deep to be kept."""
    try:
        value = json_value(data)
        orjson.dumps(value)
    except (TypeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def json_value(data: bytes | str) -> Any:
    """The JSON value in ``data``; NaN and infinities, which Python writes, become null.

    Raises ValueError where it is no JSON even so.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _read_loosely(data)


def _read_loosely(data: bytes | str) -> Any:
    try:
        text = data if isinstance(data, str) else data.decode()
        return json.loads(text, parse_constant=lambda _: None, parse_float=_number, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _whole(text: str) -> int | float | None:
    if len(text) > 20 or abs(value := int(text)) > _LARGEST:
        return _number(text)
    return value
