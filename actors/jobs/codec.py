"""A job request as a JSON object and back, and the fingerprint by which two requests are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from actors.jobs.os_text import from_plain, to_plain
from actors.jobs.records import JobRequest, Resources

_DEFAULTS = attrs.asdict(JobRequest(), recurse=False)
_TUPLES = ("command", "env_from", "user_levels")
_VARIABLES = ("env", "inherited_env")


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """``request`` as a JSON object; what has its default is left out.

    Values that are not UTF-8 are ``{"base64": ...}``; see :mod:`actors.jobs.os_text`.
    """
    fields = {name: getattr(request, name) for name in _DEFAULTS}
    document = {name: value for name, value in fields.items() if value != _DEFAULTS[name]}
    if "resources" in document:
        document["resources"] = attrs.asdict(request.resources)
    _each_os_value(document, to_plain)
    return document


def request_bytes(request: JobRequest) -> bytes | None:
    """``request`` as JSON; None where a value of it cannot be written so, which is then looked for field by field."""
    try:
        return orjson.dumps(request_to_json(request))
    except (TypeError, UnicodeEncodeError):
        return None


def request_from_json(document: Mapping[str, Any]) -> JobRequest:
    """The inverse of :func:`request_to_json`, for documents that were checked when they came in."""
    fields = dict(document)
    _each_os_value(fields, from_plain)
    if "resources" in fields:
        fields["resources"] = Resources(**fields["resources"])
    for name in _TUPLES:
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    return JobRequest(**fields)


def _each_os_value(fields: dict[str, Any], convert: Callable[[Any], Any]) -> None:
    """Convert each value that the operating system takes as bytes; ``fields`` gets new containers."""
    if fields.get("command") is not None:
        fields["command"] = [convert(word) for word in fields["command"]]
    if fields.get("cwd") is not None:
        fields["cwd"] = convert(fields["cwd"])
    for name in _VARIABLES:
        if fields.get(name):
            fields[name] = {variable: convert(value) for variable, value in fields[name].items()}


def fingerprint(request: JobRequest) -> str:
    """64 hex digits that are equal for requests that ask for the same (B20).

    What the submitter's environment happened to hold is no part of the question, nor is the key itself.
    """
    asked = request_to_json(attrs.evolve(request, idempotency_key=None, inherited_env=None))
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
