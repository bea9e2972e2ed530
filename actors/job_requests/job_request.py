"""A job request from outside, checked: the one schema of the HTTP edge, of job files and of ``submit --spec`` (B21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import attrs

from actors.jobs import maxima
from actors.jobs.levels import HIGHEST_OVERRIDE
from actors.jobs.os_text import from_plain
from actors.jobs.records import JobRequest, Resources
from actors.validation import FAULTY, Entry, Listing, Problems, Reader, Scalar, from_data, is_nothing, join
from actors.validation import Mapping as MappingNode
from actors.validation.reader import Read, Shape
from actors.validation.simple import text_fault
from actors.validation.sizes import read_size

Check = Callable[[Any], str | None]
"""What is wrong with a value; None: nothing."""
_EITHER = "command and entry_point: give one of the two"


def request_from_mapping(data: Any, path: str = "") -> JobRequest:
    """The request that ``data``, decoded JSON with the fields of :class:`JobRequest`, asks for.

    ``path`` stands before the paths in messages. Raises :class:`~actors.validation.CheckedError` with every fault.
    """
    faults = Problems()
    reader = Reader(shapes(), faults)
    request = read_request(reader, from_data(data, faults, path), path)
    faults.check()
    assert isinstance(request, JobRequest)
    return request


def read_request(reader: Reader, entry: Entry, path: str) -> Any:
    """The request at ``entry``, or ``FAULTY``."""
    request = reader.object(entry, JobRequest, path)
    if request is not FAULTY and request.command is not None and request.entry_point is not None:
        where = (reader.entries(entry, path) or {}).get("entry_point", entry)
        return reader.fault(where, join(path, "entry_point"), _EITHER)
    if request is not FAULTY and (fault := maxima.fault_of(request)) is not None:
        return reader.fault(entry, join(path, fault[0]) if fault[0] else path, fault[1])
    return request


def shapes(request: Shape | None = None) -> dict[type, Shape]:
    """How a request is written; ``request`` says what differs where it is not JSON with the records' own names."""
    special = request or Shape(checks={"cwd": _absolute})
    whole = attrs.evolve(
        special,
        reads={**_READS, **special.reads},
        checks=within(JobRequest, {**_CHECKS, **special.checks}),
    )
    none_or_more = _at_least(0)
    resources = Shape(
        reads={"memory": read_size}, checks={"cpus": none_or_more, "gpus": none_or_more, "memory": _at_least(1)}
    )
    return {JobRequest: whole, Resources: resources}


def within(kind: type[Any], checks: Mapping[str, Check]) -> dict[str, Check]:
    """``checks`` of the fields of ``kind``, each after the field's maximum (:data:`actors.jobs.maxima.FIELDS`)."""

    def both(maximum: maxima.Maximum, check: Check | None) -> Check:
        return lambda value: maximum.fault(value) or (None if check is None else check(value))

    bounded = {name: both(maximum, checks.get(name)) for name, maximum in maxima.FIELDS[kind].items()}
    return {**checks, **bounded}


def _read_command(reader: Reader, entry: Entry, path: str) -> Any:
    if isinstance(entry.node, Scalar) and entry.node.value is not None:
        return reader.fault(entry, path, "must be a list of words, never a shell line")
    if is_nothing(entry.node):
        return None
    if not isinstance(entry.node, Listing):
        return reader.convert(entry, tuple[str, ...], path)
    words = [read_os_text(reader, item, join(path, index)) for index, item in enumerate(entry.node.items)]
    if any(word is FAULTY for word in words):
        return FAULTY
    return tuple(words) if words and words[0] else reader.fault(entry, path, "must begin with the name of a program")


def read_os_text(reader: Reader, entry: Entry, path: str) -> Any:
    """A text, or ``{"base64": ...}`` for one whose bytes are not UTF-8 (:mod:`actors.jobs.os_text`)."""
    if not isinstance(entry.node, MappingNode):
        return reader.convert(entry, str, path)
    plain = reader.convert(entry, Mapping[str, str], path)
    if plain is FAULTY:
        return plain
    try:
        value = from_plain(plain)
    except ValueError as error:
        return reader.fault(entry, path, str(error))
    return reader.fault(entry, path, "must not hold a NUL character") if "\0" in value else value


def _read_cwd(reader: Reader, entry: Entry, path: str) -> Any:
    return None if is_nothing(entry.node) else read_os_text(reader, entry, path)


def _read_levels(reader: Reader, entry: Entry, path: str) -> Any:
    """One level or a list of them."""
    if isinstance(entry.node, Listing):
        return reader.convert(entry, tuple[str, ...], path)
    level = reader.convert(entry, str | None, path)
    return level if level is FAULTY else () if level is None else (level,)


def _at_least(least: int) -> Callable[[float | None], str | None]:
    def check(value: float | None) -> str | None:
        return None if value is None or value >= least else f"must be at least {least}, not {value:g}"

    return check


def _above_zero(value: float | None) -> str | None:
    return None if value is None or value > 0 else f"must be more than 0, not {value:g}"


def _override(value: int | None) -> str | None:
    inside = value is None or 0 <= value <= HIGHEST_OVERRIDE
    return None if inside else f"must be between 0 and {HIGHEST_OVERRIDE}, not {value}"


def _not_empty(value: str | None) -> str | None:
    return "must not be empty" if value == "" else None


def _absolute(value: str | None) -> str | None:
    if value is None or PurePath(value).is_absolute():
        return None
    return f"must be an absolute path, not {value!r:.80}"


def _read_variables(reader: Reader, entry: Entry, path: str) -> Any:
    entries = reader.entries(entry, path)
    if entries is None:
        return FAULTY
    values = {}
    for name, child in entries.items():
        where = join(path, name)
        if not name or "=" in name or text_fault(name):
            values[name] = reader.fault(child, where, "cannot be the name of a variable")
        else:
            values[name] = read_os_text(reader, child, where)
    return FAULTY if any(value is FAULTY for value in values.values()) else values


def _read_inherited(reader: Reader, entry: Entry, path: str) -> Any:
    return None if is_nothing(entry.node) else _read_variables(reader, entry, path)


_READS: Mapping[str, Read] = {
    "command": _read_command,
    "cwd": _read_cwd,
    "env": _read_variables,
    "inherited_env": _read_inherited,
    "user_levels": _read_levels,
}

_CHECKS: Mapping[str, Check] = {
    "provider": _not_empty,
    "entry_point": _not_empty,
    "cwd": _not_empty,
    "estimated_cost": _at_least(0),
    "priority_override": _override,
    "max_attempts": _at_least(1),
    "max_runtime": _above_zero,
    "idempotency_key": _not_empty,
    "requires_approval": _not_empty,
}
