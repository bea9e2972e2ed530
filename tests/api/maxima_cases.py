"""Values just above every maximum, taken from the classes of what comes from outside and from the routes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import httpx
import pytest

from actors.api.app import ROUTES
from actors.api.openapi import document
from actors.api.route import DeclaredRoute, Nothing
from actors.jobs.maxima import FIELDS
from actors.jobs.maximum import Bytes, Items, Maximum, Pairs, Text, Tree

API = document(ROUTES)
DECLARED = [route for route in ROUTES if isinstance(route, DeclaredRoute)]
BODIES = [route for route in DECLARED if isinstance(body := route.body, type) and body is not Nothing]
QUERIES = [route for route in DECLARED if attrs.fields(route.query)]
_BOUNDED = (int, float, bool, type(None), datetime)


# What there is to test.


def is_open(hint: Any) -> bool:
    """Whether a value of this type may be of any length."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(is_open(arm) for arm in get_args(hint))
    if origin is Literal or hint in _BOUNDED or (isinstance(hint, type) and issubclass(hint, Enum)):
        return False
    return not (isinstance(hint, type) and attrs.has(hint))


def maximum_of(kind: type, attribute: attrs.Attribute[Any]) -> Maximum | None:
    known = FIELDS.get(kind, {}).get(attribute.name)
    validators = getattr(attribute.validator, "_validators", (attribute.validator,))
    return known or next((one for one in validators if isinstance(one, Maximum)), None)


def open_fields(kind: type) -> Iterator[tuple[str, Maximum | None]]:
    """Its texts, lists and objects, each with its maximum."""
    hints = get_type_hints(kind)
    for attribute in attrs.fields(kind):
        if is_open(hints[attribute.name]):
            yield attribute.name, maximum_of(kind, attribute)


def above(maximum: Maximum, first: str = "x") -> Iterator[Any]:
    """Values of every kind that are just above a maximum."""
    match maximum:
        case Text() | Bytes():
            yield first + "x" * maximum.most
        case Tree():
            yield {f"x{number}": "max" for number in range(maximum.most // 10)}  # as the best of a series may be
        case Items():
            yield [first] * (maximum.most + 1)
            if maximum.each is not None:
                yield from ([first, one] for one in above(maximum.each))
            if maximum.total is not None:
                yield [first, *["y" * 100_000] * (maximum.total // 100_000 + 1)]
        case Pairs():
            yield {f"N{number}": "1" for number in range(maximum.most + 1)}
            yield from ({one: "1"} for one in above(maximum.name))
            yield from ({"N": one} for one in above(maximum.value))
            yield {f"N{number}": "y" * 100_000 for number in range(maximum.total // 100_000 + 1)}


def cases(kind: type, **first: str) -> list[Any]:
    """Every way in which a field of ``kind`` can be above its maximum."""
    return [
        pytest.param(name, value, id=f"{name}-{number}")
        for name, maximum in open_fields(kind)
        if maximum is not None
        for number, value in enumerate(above(maximum, first.get(name, "x")))
    ]


def named(answered: httpx.Response) -> str:
    """The fields that an answer names."""
    found = answered.json()
    return " ".join([found.get("field") or "", *(one["field"] for one in found.get("errors", ()))])
