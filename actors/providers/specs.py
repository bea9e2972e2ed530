"""A job's ``spec`` as an attrs class of its provider, read strictly: what is wrong names the key and what to change."""

from __future__ import annotations

from typing import Any, TypeVar

from actors.providers.errors import FieldFault
from actors.validation import INPUT, CheckedError, StrictConverter

T = TypeVar("T")


def read_spec(
    given: Any, kind: type[T], faults: list[FieldFault], path: str = "spec", converter: StrictConverter = INPUT
) -> T | None:
    """``given`` as a ``kind``; None where something is wrong with it, and then each problem is added to ``faults``."""
    try:
        found = converter.read(given, kind, path)
    except CheckedError as error:
        faults += [FieldFault(one.path or path, str(one)) for one in error.faults]
        return None
    assert isinstance(found, kind)
    return found
