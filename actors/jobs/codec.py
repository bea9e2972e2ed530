"""A job request as a JSON object, and the fingerprint that differs where requests do."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import orjson

from actors.jobs.os_text import to_plain
from actors.jobs.records import JobRequest

_DEFAULTS = attrs.asdict(JobRequest(), recurse=False)


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """``request`` as a JSON object; what has its default is left out.

    Values that are not UTF-8 are ``{"base64": ...}``; see :mod:`actors.jobs.os_text`.
    """
    fields = {name: getattr(request, name) for name in _DEFAULTS}
    document = {name: value for name, value in fields.items() if value != _DEFAULTS[name]}
    if "resources" in document:
        document["resources"] = attrs.asdict(request.resources)
    if document.get("command"):
        document["command"] = [to_plain(word) for word in document["command"]]
    if document.get("cwd"):
        document["cwd"] = to_plain(document["cwd"])
    for name in ("env", "inherited_env"):
        if document.get(name):
            document[name] = {variable: to_plain(value) for variable, value in document[name].items()}
    return document


def request_bytes(request: JobRequest) -> bytes | None:
    """``request`` as JSON; None where a value of it cannot be written so, which is then looked for field by field."""
    try:
        return orjson.dumps(request_to_json(request))
    except (TypeError, UnicodeEncodeError):
        return None


def fingerprint(request: JobRequest) -> str:
    """64 hex digits that are equal for requests that ask for the same.

    What the submitter's environment happened to hold is no part of the question, nor is the key itself.
    """
    asked = request_to_json(attrs.evolve(request, idempotency_key=None, inherited_env=None))
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
