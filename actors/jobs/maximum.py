"""Kinds of bounds on one value: a text, bytes, a list, pairs, plain data. The numbers are in :mod:`actors.jobs.maxima`.

Each kind says what is wrong with a value (:meth:`Maximum.fault`), how OpenAPI words it (:meth:`Maximum.schema`), and is
a validator of attrs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs
import orjson

_TEXTS = (str, bytes)


class Maximum:
    """A bound on one value. None is no value and passes; so does a value of another type, which others refuse."""

    def fault(self, value: Any) -> str | None:
        """What is wrong with ``value``, in words that follow its name; None: nothing."""
        raise AssertionError(f"{type(self).__name__} says nothing about {type(value).__name__}")

    def schema(self) -> dict[str, Any]:
        """The bound in the words of JSON Schema."""
        raise AssertionError(f"{type(self).__name__} has no words")

    def __call__(self, _instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        """Raises ``ValueError``: as a validator of attrs."""
        if (fault := self.fault(value)) is not None:
            raise ValueError(f"{attribute.name} {fault}")


@attrs.frozen
class Text(Maximum):
    """A text of at most ``most`` characters."""

    most: int

    def fault(self, value: Any) -> str | None:
        """See :class:`Maximum`."""
        long = isinstance(value, str) and len(value) > self.most
        return f"must be at most {self.most} characters" if long else None

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        return {"maxLength": self.most}


@attrs.frozen
class Bytes(Maximum):
    """A text, or bytes, of at most ``most`` bytes as the operating system gets it."""

    most: int

    def fault(self, value: Any) -> str | None:
        """See :class:`Maximum`."""
        if isinstance(value, _TEXTS) and (size := _size(value)) > self.most:
            return f"must be at most {self.most} bytes, not {size}"
        return None

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        return {"maxLength": self.most, "description": f"At most {self.most} bytes as UTF-8"}


@attrs.frozen
class Items(Maximum):
    """A list of at most ``most`` items, ``each`` of them bounded, of ``total`` bytes in all.

    Where one value may stand for a list of one, ``each`` bounds that, too.
    """

    most: int
    each: Maximum | None = None
    total: int | None = None

    def fault(self, value: Any) -> str | None:
        """See :class:`Maximum`."""
        if value is None or isinstance(value, _TEXTS):
            return None if self.each is None else self.each.fault(value)
        if not isinstance(value, Sequence):
            return None
        if len(value) > self.most:
            return f"must have at most {self.most} items, not {len(value)}"
        if _surely_within(value, self.each, self.total):
            return None
        if self.each is not None:
            for index, one in enumerate(value):
                if (fault := self.each.fault(one)) is not None:
                    return f"item {index} {fault}"
        return _too_many_bytes(value, self.total)

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        words: dict[str, Any] = {"maxItems": self.most}
        if self.each is not None:
            words["items"] = self.each.schema()
        return {**words, **_in_all(self.total)}


@attrs.frozen
class Pairs(Maximum):
    """At most ``most`` names with values, of ``total`` bytes in all."""

    most: int
    name: Maximum
    value: Maximum
    total: int

    def fault(self, value: Any) -> str | None:
        """See :class:`Maximum`."""
        if not isinstance(value, Mapping):
            return None
        if len(value) > self.most:
            return f"must have at most {self.most} names, not {len(value)}"
        half = self.total // 2
        if _surely_within(value, self.name, half) and _surely_within(value.values(), self.value, half):
            return None
        for name, one in value.items():
            if (fault := self.name.fault(name)) is not None:
                return f"has a name that {fault}"
            if (fault := self.value.fault(one)) is not None:
                return f"{name:.80}: {fault}"
        return _too_many_bytes([*value, *value.values()], self.total)

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        words = {"maxProperties": self.most, "propertyNames": self.name.schema()}
        return {**words, "additionalProperties": self.value.schema(), **_in_all(self.total)}


@attrs.frozen
class Tree(Maximum):
    """Plain data of at most ``most`` bytes as JSON."""

    most: int

    def fault(self, value: Any) -> str | None:
        """See :class:`Maximum`."""
        if value is None:
            return None
        size = json_size(value)
        if size is None:
            return "must be plain data, as JSON can hold it"
        return f"must be at most {self.most} bytes as JSON, not {size}" if size > self.most else None

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        return {"description": f"At most {self.most} bytes as JSON"}


def _size(text: str | bytes) -> int:
    """Of a value as the operating system gets it (:mod:`actors.jobs.os_text`), or of a text that others refuse."""
    if isinstance(text, bytes) or text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return len(text.encode("utf-8", "surrogatepass"))


def _surely_within(texts: Collection[Any], each: Maximum | None, total: int | None) -> bool:
    """Whether all are texts so short that none need be looked at: a character has at most four bytes."""
    if not isinstance(each, Text | Bytes) or set(map(type, texts)) != {str}:
        return False
    lengths = list(map(len, texts))
    return 4 * max(lengths) <= each.most and (total is None or 4 * sum(lengths) + len(lengths) <= total)


def _too_many_bytes(parts: Sequence[Any], most: int | None) -> str | None:
    if most is None:
        return None
    size = sum([_size(one) + 1 for one in parts if isinstance(one, _TEXTS)])
    return f"must be at most {most} bytes in all, not {size}" if size > most else None


def _in_all(most: int | None) -> dict[str, Any]:
    return {} if most is None else {"description": f"At most {most} bytes in all"}


def json_size(value: Any) -> int | None:
    """The length of ``value`` as JSON; None for what JSON cannot hold."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # numbers of more than 64 bits, lone surrogates; or what is not plain data
        pass
    try:
        return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except (TypeError, ValueError, RecursionError):
        return None
