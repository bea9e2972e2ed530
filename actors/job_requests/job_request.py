"""A job request from outside, checked: the one schema of HTTP, of job files and of ``submit --spec``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Annotated, Any, Literal

import attrs
from attrs.validators import ge, gt, optional

from actors.jobs import maxima
from actors.jobs.dependencies import reference_fault
from actors.jobs.environment import DEFAULT_ENV_FROM, inherited, with_usual
from actors.jobs.level_names import level_fault
from actors.jobs.levels import HIGHEST_OVERRIDE
from actors.jobs.os_text import from_plain
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.jobs.request_fields import with_field
from actors.jobs.reruns import rerun_fault
from actors.jobs.start_times import fault_of as start_fault
from actors.jobs.wall_clock import is_time_of_day
from actors.validation import Format, Shape, StrictConverter, Wrong
from actors.validation.marked import Ambiguous
from actors.validation.values import NOT_EMPTY, Validator, fits, text

Usual = Callable[[Any], Any]


def request_from_mapping(data: Any, path: str = "") -> JobRequest:
    """The request in ``data``, decoded JSON with the fields of :class:`JobRequest`.

    ``path`` is put before the paths in messages. Raises :class:`~actors.validation.CheckedError` with every problem.
    """
    request = REQUESTS.read(data, JobRequest, path)
    assert isinstance(request, JobRequest)
    return request


def with_inherited(
    request: JobRequest,
    environ: Mapping[str, str] | None = None,
    found: dict[tuple[str, ...], Mapping[str, str]] | None = None,
) -> JobRequest:
    """``request`` with its inherited values filled in, unless its submitter has done so already.

    ``found`` keeps, by ``env_from``, what was found in ``environ``: most requests of a batch name the same.
    """
    if request.inherited_env is not None:
        return request
    names = tuple(request.env_from)
    values = None if found is None else found.get(names)
    if values is None:
        values = inherited(names, os.environ if environ is None else environ)
        if found is not None:
            found[names] = values
    return with_field(request, "inherited_env", values)


def with_names(request: JobRequest, env_from: tuple[str, ...]) -> JobRequest:
    """``request``, which inherits ``env_from`` in addition to the usual variables, unless it names itself what it
    inherits.
    """
    if not env_from or request.env_from != DEFAULT_ENV_FROM:
        return request
    return attrs.evolve(request, env_from=with_usual(env_from))


def converter(
    names: Mapping[str, str] | None = None,
    hidden: AbstractSet[str] = frozenset(),
    also: AbstractSet[str] = frozenset(),
    *,
    for_file: bool = False,
) -> StrictConverter:
    """Reads requests. ``names``, ``hidden`` and ``also``: as in :class:`~actors.validation.Shape`.

    ``for_file``: a ``cwd`` need not be absolute, and is left as it is written, and so may be a time of day; a level is
    one that we know.
    """
    start = _start(times_of_day=for_file)
    levels = {"user_levels": _known_levels} if for_file else {}
    validators = {**_VALIDATORS, **levels, "cwd": NOT_EMPTY if for_file else _ABSOLUTE, "start_after": start}
    request = Shape(
        names=names or {}, hidden=hidden, also=also, types=_TYPES, validators=validators, whole=_check_request
    )
    resources = Shape(validators={"cpus": ge(0), "gpus": ge(0), "memory": optional(ge(1))})
    return StrictConverter({JobRequest: request, Resources: resources, Rerun: _RERUN})


def _check_request(request: JobRequest) -> None:
    if request.command is not None and request.entry_point is not None:
        raise Wrong("command and entry_point: give one of the two", "entry_point")
    if (fault := maxima.fault_of(request)) is not None:
        raise Wrong(fault[1], *fault[:1] if fault[0] else ())


def _check_rerun(asked: Rerun) -> None:
    if (fault := rerun_fault(asked)) is not None:
        raise Wrong(fault[1], *fault[0])


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
    found = from_plain({key: text(one) for key, one in value.items()})
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


def _known_levels(_: Any, _attribute: attrs.Attribute[Any], levels: tuple[str, ...]) -> None:
    for level in levels:
        if (fault := level_fault(level)) is not None:
            raise Wrong(fault)


def _references(value: Any, usual: Usual) -> Any:
    """One job or group, or a list of them."""
    return usual(value if value is None or isinstance(value, list | tuple) else (value,))


def _reference(value: Any, usual: Usual) -> Any:
    found = usual(value)
    if (fault := reference_fault(found)) is not None:
        raise Wrong(fault)
    return found


def _start_text(value: Any, usual: Usual) -> Any:
    """A time of day without quotes; YAML 1.1 reads ``22:00`` as a number."""
    return value.text if isinstance(value, Ambiguous) and is_time_of_day(value.text) else usual(value)


def _start(*, times_of_day: bool) -> Validator:
    def check(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
        if value is not None and (fault := start_fault(value, times_of_day=times_of_day)) is not None:
            raise ValueError(f"{attribute.name} {fault}")

    return check


OsText = Annotated[str, Format(_os_text)]
"""A text, or ``{"base64": ...}`` for one whose bytes are not UTF-8 (:mod:`actors.jobs.os_text`)."""
_Variables: Any = Mapping[Annotated[str, Format(_variable)], OsText]
_NAME = {"type": "string", "maxLength": maxima.NAME}
_GROUP = {"type": "object", "properties": {"group": _NAME}, "required": ["group"]}
_REFERENCE = {
    "anyOf": [_NAME, {**_GROUP, "additionalProperties": False}],
    "description": "The id, name, or beginning or end of the id of a job, or a group of the user's",
}
_TYPES: Mapping[str, Any] = {
    "command": Annotated[tuple[OsText, ...], Format(_command)] | None,
    "cwd": OsText | None,
    "env": _Variables,
    "inherited_env": _Variables | None,
    "after": Annotated[tuple[Annotated[Any, Format(_reference, _REFERENCE)], ...], Format(_references)],
    "start_after": Annotated[str, Format(_start_text)] | None,
    "user_levels": Annotated[
        tuple[str, ...], Format(_levels, {"type": ["string", "array", "null"], "items": {"type": "string"}})
    ],
}
_ABSOLUTE = fits(lambda cwd: PurePath(cwd).is_absolute(), "must be an absolute path", with_value=True)
_NOT_EMPTY = ("provider", "entry_point", "idempotency_key", "user_id", "config_name", "group", "requires_approval")
_VALIDATORS: Mapping[str, Validator] = {
    **dict.fromkeys(_NOT_EMPTY, NOT_EMPTY),
    "estimated_cost": optional(ge(0)),
    "priority_override": fits(
        lambda priority: 0 <= priority <= HIGHEST_OVERRIDE, f"must be between 0 and {HIGHEST_OVERRIDE}", with_value=True
    ),
    "max_attempts": ge(1),
    "max_runtime": optional(gt(0)),
}
_RERUN = Shape(types={"on": tuple[Literal["interrupted", "failed", "timed_out"], ...]}, whole=_check_rerun)
REQUESTS = converter()
"""Requests in JSON, with the records' own names."""
