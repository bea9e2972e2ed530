"""How much anything may hold that comes from outside: every maximum, each with its reason.

A maximum holds where something comes in, never where a row is read: what was stored before stays readable. Each kind of
maximum says what is wrong with a value (:meth:`Maximum.fault`), how OpenAPI words it (:meth:`Maximum.schema`), and is a
validator of attrs. :data:`FIELDS` has those of classes that are records as well, and so must not check by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs
import orjson

from actors.jobs.codec import request_to_json
from actors.jobs.records import DEFAULT_ENV_FROM, ApprovalRule, JobRequest

NAME = 200
"""Characters of a name or an id: more is read by nobody, and every list repeats it."""
REASON = 2_000
"""Characters of a reason: a paragraph that a person reads."""
SPEC = 256 << 10
"""Bytes, as JSON, of one object that a provider or an entry point reads: large inputs are files."""
PATTERN = 1_000
"""Characters of a pattern or another value of an approval rule: a thousand rules are one answer."""
BODY = 1 << 20
"""Bytes of a request's body, and of one job request as JSON however it arrives: every job is read whole, often."""
BATCH = 16 << 20
"""Bytes of a list of jobs, as a body or as a file: what may be held in memory for one request."""
BATCH_JOBS = 10_000
"""Jobs of one request: they are written in one transaction, which everybody else's changes wait for."""
WEBHOOK = 16 << 20
"""Bytes of a provider's delivery: it carries a job's output."""
ANSWER = 8 << 20
"""Bytes of one page of a list, as stored rows and as the answer: what may be held in memory for one reader."""
ROWS = 1_000
"""Rows of one page of a list."""
CURSOR = 1_000
"""Characters of a place in a list or in an output: ours have some 200, a provider's own are its own."""
WORDS = 10_000
"""Words of a command: more are a file."""
WORD_BYTES = (128 << 10) - 1
"""Bytes of one word of a command: Linux takes 128 KiB (MAX_ARG_STRLEN) with the NUL that ends it."""
COMMAND_BYTES = 512 << 10
"""Bytes of a command, and of an environment, in all: together well inside the 2 MiB that Linux takes by default."""
VARIABLES = 1_000
"""Variables of an environment."""
PATH = 4_095
"""Bytes of a path: Linux takes 4,096 (PATH_MAX) with the NUL."""
CHOICES = 100
"""Items of a list of names, such as levels, types or patterns of variables."""
VALUES = 50_000
"""Values (numbers, texts, lists, objects) of one request's body, and of one job of a list: each is looked at by itself,
and nobody else is served meanwhile."""
BATCH_VALUES = 20 * VALUES
"""Values of a list of jobs: a hundred for each of as many jobs as it may have."""
DECISIONS = 500
"""Approval requests of one bulk decision: each is a transaction of its own."""
RULES = 1_000
"""Approval rules: each is tried for each job."""
WAITING = 20_000
"""Waiting entries of one user, unless ``queue.max_waiting_per_user`` says otherwise."""

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
        size = _json_size(value)
        if size is None:
            return "must be plain data, as JSON can hold it"
        return f"must be at most {self.most} bytes as JSON, not {size}" if size > self.most else None

    def schema(self) -> dict[str, Any]:
        """See :class:`Maximum`."""
        return {"description": f"At most {self.most} bytes as JSON"}


WORD = Bytes(WORD_BYTES)
_NAME, _REASON = Text(NAME), Text(REASON)
_ENVIRONMENT = Pairs(VARIABLES, _NAME, WORD, COMMAND_BYTES)

FIELDS: Mapping[type, Mapping[str, Maximum]] = {
    JobRequest: {
        "provider": _NAME,
        "command": Items(WORDS, WORD, COMMAND_BYTES),
        "entry_point": _NAME,
        "params": Tree(SPEC),
        "cwd": Bytes(PATH),
        "env": _ENVIRONMENT,
        "env_from": Items(CHOICES, _NAME),
        "inherited_env": _ENVIRONMENT,
        "spec": Tree(SPEC),
        "user_id": _NAME,
        "org_id": _NAME,
        "team_id": _NAME,
        "user_levels": Items(CHOICES, _NAME),
        "config_name": _NAME,
        "hardware_type": _NAME,
        "idempotency_key": _NAME,
        "requires_approval": _REASON,
    },
    ApprovalRule: {
        "name": _NAME,
        "condition": _NAME,
        "value": Text(PATTERN),
        "applies_to_provider": _NAME,
        "applies_to_level": _NAME,
        "exempt_levels": Items(CHOICES, _NAME),
        "required_approver_level": _NAME,
    },
}
"""By class and field. Numbers, switches and enumerations are bounded by their types; every other field stands here."""

SAID: Mapping[str, Maximum] = {"by": _NAME, "reason": _REASON, "handle": Tree(SPEC)}
"""What a person gives with a change: their name, the reason, and the handle of a job that a provider has."""


def fault_of(record: JobRequest | ApprovalRule, encoded: bytes | None = None) -> tuple[str, str] | None:
    """The first field of ``record`` that is above its maximum, and what is wrong with it; None: there is none.

    Without a field where it is the whole that is too large. ``encoded``: a job request as JSON, if it is at hand.
    """
    for name, maximum in FIELDS[type(record)].items():
        value = getattr(record, name)
        is_small = not value or value is DEFAULT_ENV_FROM
        if not is_small and (fault := maximum.fault(value)) is not None:
            return name, fault
    if isinstance(record, JobRequest):
        size = len(encoded) if encoded is not None else _json_size(request_to_json(record)) or 0
        if size > BODY:
            return "", f"a job must be at most {BODY} bytes in all, not {size}; put what is large into files"
    return None


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


def _json_size(value: Any) -> int | None:
    """The length of ``value`` as JSON; None for what JSON cannot hold."""
    try:
        return len(orjson.dumps(value))
    except TypeError:  # numbers of more than 64 bits, lone surrogates; or what is no plain data
        pass
    try:
        return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except (TypeError, ValueError, RecursionError):
        return None
