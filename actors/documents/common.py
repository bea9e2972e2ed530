"""What the documents have in common: their JSON, and a record's fields under their own names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, NotRequired, TypedDict, TypeVar, cast

import attrs
import orjson

from actors.jobs.os_text import readable

D = TypeVar("D")

Document = dict[str, Any]
"""An object about whose fields nothing is promised."""


class FaultDocument(TypedDict):
    """One fault, and the field that has it."""

    field: str
    message: str


class ProblemDocument(TypedDict):
    """What is wrong (RFC 9457). ``field`` is what to change; ``errors`` are all faults if there are several.

    ``correlation_id`` finds the request's lines in the log.
    """

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str
    field: NotRequired[str]
    errors: NotRequired[list[FaultDocument]]


def encoded(document: Any) -> bytes:
    """``document`` as JSON. What a job has written may contain numbers or texts that only the standard library can
    encode.
    """
    try:
        return orjson.dumps(document, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except orjson.JSONEncodeError:
        return json.dumps(readable(document), default=lambda one: readable(_plain(one)), separators=(",", ":")).encode()


def as_read(document: Any) -> Any:
    """``document`` as a client reads it, in plain data."""
    return orjson.loads(encoded(document))


def _plain(value: Any) -> Any:
    """A time as ``2024-01-15T10:30:00.000Z``, a record as an object."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if attrs.has(type(value)):
        return attrs.asdict(value, recurse=False)
    return dict(value)


def from_fields(kind: type[D], *records: object, **others: Any) -> D:
    """The document of this ``kind``: each key gets the attribute of its name, unless ``others`` has it.

    If several ``records`` have the attribute, the first one gives it.
    """
    found = {
        key: others[key] if key in others else getattr(records[index], key)
        for key, index in _homes(kind, *map(type, records))  # type: ignore[arg-type]
    }
    return cast("D", found)


@cache
def _homes(kind: type[Any], *classes: type[Any]) -> tuple[tuple[str, int], ...]:
    """Each key of ``kind`` with the place of the first class that has an attribute of this name; -1: none."""
    places = [[place for place, one in enumerate(classes) if hasattr(one, key)] for key in kind.__annotations__]
    return tuple(zip(kind.__annotations__, (found[0] if found else -1 for found in places), strict=True))
