"""A job request from outside, checked: the one schema of HTTP, of job files and of ``submit --spec`` (B21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import Annotated, Any

from actors.jobs import maxima
from actors.jobs.levels import HIGHEST_OVERRIDE
from actors.jobs.os_text import from_plain
from actors.jobs.records import JobRequest, Resources
from actors.validation import Format, Shape, Size, StrictConverter, Wrong
from actors.validation.converter import Check
from actors.validation.values import text

Usual = Callable[[Any], Any]


def request_from_mapping(data: Any, path: str = "") -> JobRequest:
    """The request that ``data``, decoded JSON with the fields of :class:`JobRequest`, asks for.

    ``path`` stands before the paths in messages. Raises :class:`~actors.validation.CheckedError` with every problem.
    """
    request = REQUESTS.read(data, JobRequest, path)
    assert isinstance(request, JobRequest)
    return request


def converter(
    names: Mapping[str, str] | None = None, hidden: AbstractSet[str] = frozenset(), folder: Path | None = None
) -> StrictConverter:
    """Reads requests. ``names`` and ``hidden``: as in :class:`~actors.validation.Shape`.

    ``folder``: what a ``cwd`` is relative to; None: it must be absolute.
    """
    types = _TYPES if folder is None else {**_TYPES, "cwd": Annotated[OsText, Format(_under(folder))] | None}
    checks = {**_CHECKS, "cwd": _absolute} if folder is None else _CHECKS
    request = Shape(names=names or {}, hidden=hidden, types=types, checks=checks, whole=_fault_of_request)
    none_or_more = _at_least(0)
    resources = Shape(
        types={"memory": Size | None}, checks={"cpus": none_or_more, "gpus": none_or_more, "memory": _at_least(1)}
    )
    return StrictConverter({JobRequest: request, Resources: resources})


def _fault_of_request(request: JobRequest) -> tuple[str, str] | None:
    if request.command is not None and request.entry_point is not None:
        return "entry_point", "command and entry_point: give one of the two"
    return maxima.fault_of(request)


def _command(value: Any, usual: Usual) -> Any:
    if not isinstance(value, list | tuple | Mapping):
        raise Wrong("must be a list of words, never a shell line")
    words = usual(value)
    if not words or not words[0]:
        raise Wrong("must begin with the name of a program")
    return words


def _os_text(value: Any, usual: Usual) -> str:
    if not isinstance(value, Mapping):
        return str(usual(value))
    try:
        found = from_plain({key: text(one) for key, one in value.items()})
    except Wrong:
        raise
    except ValueError as error:
        raise Wrong(str(error)) from None
    if "\0" in found:
        raise Wrong("must not hold a NUL character")
    return found


def _variable(value: Any, usual: Usual) -> Any:
    try:
        name = usual(value)
    except Wrong:
        name = ""
    if not name or "=" in name:
        raise Wrong("cannot be the name of a variable")
    return name


def _levels(value: Any, usual: Usual) -> Any:
    """One level or a list of them."""
    return usual(value) if value is None or isinstance(value, list | tuple) else (text(value),)


def _under(folder: Path) -> Callable[[Any, Usual], Any]:
    def read(value: Any, usual: Usual) -> Any:
        cwd = usual(value)
        return str(folder / Path(cwd).expanduser()) if cwd else cwd

    return read


def _at_least(least: int) -> Check:
    return lambda value: None if value is None or value >= least else f"must be at least {least}, not {value:g}"


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


OsText = Annotated[str, Format(_os_text)]
"""A text, or ``{"base64": ...}`` for one whose bytes are not UTF-8 (:mod:`actors.jobs.os_text`)."""
_Variables: Any = Mapping[Annotated[str, Format(_variable)], OsText]
_TYPES: Mapping[str, Any] = {
    "command": Annotated[tuple[OsText, ...], Format(_command)] | None,
    "cwd": OsText | None,
    "env": _Variables,
    "inherited_env": _Variables | None,
    "user_levels": Annotated[
        tuple[str, ...], Format(_levels, {"type": ["string", "array", "null"], "items": {"type": "string"}})
    ],
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
REQUESTS = converter()
"""Requests in JSON, with the records' own names."""
