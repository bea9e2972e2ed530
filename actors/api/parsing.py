"""Parsing of bodies and query parameters into the classes of :mod:`actors.api.bodies`: strict, with every fault at
once.

JSON is read by the standard library and not by the faster parser of the answers, because only the former reports a name
that is given twice.
"""

from __future__ import annotations

import json
from functools import cache
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request

from actors.api.bodies import CONVERTER
from actors.api.body import check_values, content_of
from actors.jobs import maxima
from actors.jobs.os_text import is_one_line
from actors.jobs.refusal import RefusalKind, Refused, invalid
from actors.jobs.suggestions import did_you_mean
from actors.validation import plain_value

T = TypeVar("T")
_WITHOUT_BODY = frozenset({"GET", "HEAD"})


@attrs.frozen
class Raw(Generic[T]):
    """A body of ``size`` bytes that its handler checks itself; ``T`` documents its type."""

    data: Any
    size: int = 0


async def body_as(request: Request, kind: Any, most: int) -> Any:
    """The body as an instance of the attrs class ``kind``, or as :class:`Raw`. An absent body is an empty object.

    ``most``: the most bytes that it may have.

    Raises ``HTTPException`` if it is not JSON, and :class:`~actors.validation.CheckedError` with every fault.
    """
    content = b"" if request.method in _WITHOUT_BODY else await content_of(request, most)
    raw = get_origin(kind) is Raw
    if content:
        _check_type(request)
        check_values(content, maxima.BATCH_VALUES if raw else maxima.VALUES)
    data = parsed(content) if content else {}
    if raw:
        return Raw(data, len(content))
    return CONVERTER.read(data, kind)


def query_as(request: Request, kind: Any) -> Any:
    """The query parameters as an instance of the attrs class ``kind``; a list is given by repeating its name."""
    hints = _hints_of(kind)
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in hints:
            suggested = did_you_mean(name[:80], hints)
            raise Refused(f"unknown parameter {name!r:.80}{suggested}", RefusalKind.INVALID, name[:80])
        given.setdefault(name, []).append(value)
    return CONVERTER.read({name: _value(name, texts, hints[name]) for name, texts in given.items()}, kind)


@cache
def _hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def check_path(request: Request) -> None:
    """Raises :class:`Refused` for a part of the path that can be no id and no name: control characters, or too long.

    It is refused here, before a lookup can interpret it in another way.
    """
    for name, part in request.path_params.items():
        if isinstance(part, str) and not (is_one_line(part) and 0 < len(part) <= maxima.NAME):
            what = f"1 to {maxima.NAME} characters, and no control characters"
            message = f"{name}: {part!r:.80} names nothing: it must have {what}"
            raise Refused(message, RefusalKind.NOT_FOUND, name)


def parsed(content: bytes | bytearray) -> Any:
    """``content`` as JSON. Raises ``HTTPException`` 400 if it is not JSON, or if parsers may interpret it
    differently.
    """
    try:
        return json.loads(content.decode(), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 from byte {error.start} on"
    except RecursionError:
        why = "it is nested too deep"
    except ValueError as error:  # no JSON, a name given twice, a number of thousands of digits
        why = str(error)
    raise HTTPException(400, f"the body is not JSON: {why:.300}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r:.80} is given twice in one object")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if given != "application/json":
        message = f"a body is application/json, not {given!r:.80}"
        raise HTTPException(415, message)


def _value(name: str, texts: list[str], hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return texts
    if len(texts) > 1:
        raise invalid(name, f"is given {len(texts)} times")
    plain = {int, float, bool} & set(get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,))
    return plain_value(texts[0]) if plain else texts[0]
