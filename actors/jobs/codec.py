"""A job request as a JSON object, and its fingerprint, which differs if requests do."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import orjson

from actors.jobs.os_text import to_plain
from actors.jobs.records import DEFAULT_ENV_FROM, JobRequest

_DEFAULTS = attrs.asdict(JobRequest(), recurse=False)


def request_to_json(request: JobRequest) -> dict[str, Any]:
    """``request`` as a JSON object, without fields that have their defaults.

    Values that are not UTF-8 are ``{"base64": ...}``; see :mod:`actors.jobs.os_text`.
    """
    document = {name: value for name, usual in _DEFAULTS.items() if (value := getattr(request, name)) != usual}
    if "resources" in document:
        document["resources"] = attrs.asdict(request.resources)
    if "rerun" in document:
        document["rerun"] = attrs.asdict(request.rerun)
    if document.get("command"):
        document["command"] = [word if word.isascii() else to_plain(word) for word in document["command"]]
    if document.get("cwd"):
        document["cwd"] = to_plain(document["cwd"])
    for name in ("env", "inherited_env"):
        if document.get(name):
            pairs = document[name].items()
            document[name] = {variable: value if value.isascii() else to_plain(value) for variable, value in pairs}
    return document


def request_bytes(request: JobRequest) -> bytes | None:
    """``request`` as JSON; None where a value of it cannot be written so, which is then looked for field by field."""
    try:
        return orjson.dumps(request_to_json(request))
    except (TypeError, UnicodeEncodeError):
        return None


def fingerprint(request: JobRequest) -> str:
    """64 hex digits that are equal for equal requests.

    Values from the submitter's environment, and the key itself, are not part of it.
    """
    plain = attrs.evolve(request, idempotency_key=None, inherited_env=None, env_from=DEFAULT_ENV_FROM)
    asked = request_to_json(plain)
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
