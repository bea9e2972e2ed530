"""A job request as a JSON object and back, and the fingerprint by which two requests are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from actors.jobs.records import JobRequest, Resources

_DEFAULTS = attrs.asdict(JobRequest(), recurse=False)
_TUPLES = ("command", "env_from", "user_levels")


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """``request`` as a JSON object; what has its default is left out."""
    fields = {name: getattr(request, name) for name in _DEFAULTS}
    document = {name: value for name, value in fields.items() if value != _DEFAULTS[name]}
    if "resources" in document:
        document["resources"] = attrs.asdict(request.resources)
    return document


def request_from_json(document: Mapping[str, Any]) -> JobRequest:
    """The inverse of :func:`request_to_json`, for documents that were checked when they came in."""
    fields = dict(document)
    if "resources" in fields:
        fields["resources"] = Resources(**fields["resources"])
    for name in _TUPLES:
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    return JobRequest(**fields)


def fingerprint(request: JobRequest) -> str:
    """64 hex digits that are equal for requests that ask for the same (B20).

    What the submitter's environment happened to hold is no part of the question, nor is the key itself.
    """
    asked = request_to_json(attrs.evolve(request, idempotency_key=None, inherited_env=None))
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
