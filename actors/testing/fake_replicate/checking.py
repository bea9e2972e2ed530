"""What a request to create something may hold. Unknown fields are refused, as the schema of the real API has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs
import orjson

from actors.testing.fake_replicate.jobs import Script
from actors.testing.fake_replicate.wire import Asked, refuse

EVENTS = frozenset({"start", "output", "logs", "completed"})
_COMMON = frozenset({"input", "webhook", "webhook_events_filter", "stream"})
_CANCEL_AFTER = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_SHORTEST = timedelta(seconds=5)


@attrs.frozen
class Creation:
    """The checked body of a creation."""

    input: Mapping[str, Any]
    version: str | None = None
    destination: str | None = None
    webhook: str | None = None
    events: frozenset[str] = frozenset({"output", "completed"})


def creation(asked: Asked, *needed: str) -> Creation:
    """The body of ``asked``, which must have ``input`` and ``needed``. Raises a refusal with status 422."""
    try:
        body = orjson.loads(asked.body)
    except orjson.JSONDecodeError:
        raise refuse(422, "The body is not JSON") from None
    if not isinstance(body, dict):
        raise refuse(422, "The body is not an object")
    for name in ("input", *needed):
        if name not in body:
            raise refuse(422, f"- {name} is required", "Input validation failed")
    unknown = sorted(body.keys() - _COMMON - set(needed))
    if unknown:
        raise refuse(422, f"- Additional property {unknown[0]} is not allowed", "Input validation failed")
    if not isinstance(body["input"], dict):
        raise refuse(422, "- input must be an object", "Input validation failed")
    for name in needed:
        if not isinstance(body[name], str):
            raise refuse(422, f"- {name} must be a string", "Input validation failed")
    events = body.get("webhook_events_filter") or ["output", "completed"]
    if not isinstance(events, list) or not all(one in EVENTS for one in events):
        raise refuse(422, "- webhook_events_filter holds an unknown event", "Input validation failed")
    named = {name: body[name] for name in needed}
    return Creation(input=body["input"], webhook=_webhook(body.get("webhook")), events=frozenset(events), **named)


def scripted(given: Mapping[str, Any], base: Script) -> Script:
    """``base``, changed as the input's own ``fake`` object says. Raises a refusal for what no script has."""
    changes = given.get("fake")
    if changes is None:
        return base
    try:
        return attrs.evolve(base, **changes)
    except (TypeError, ValueError) as fault:
        raise refuse(422, f"- input.fake: {fault}", "Input validation failed") from None


def cancel_after(text: str | None) -> timedelta | None:
    """The header of that name: ``90s``, ``5m``, ``1h30m`` or ``30``. Raises a refusal for others and under 5 s."""
    if text is None:
        return None
    match = _CANCEL_AFTER.fullmatch(text)
    if not text or match is None:
        raise refuse(422, "Cancel-After is no duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    after = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if after < _SHORTEST:
        raise refuse(422, "Cancel-After must be at least 5 seconds")
    return after


def _webhook(url: Any) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url) if isinstance(url, str) else None
    on_this_machine = parts is not None and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)):
        raise refuse(422, "- webhook must be an https URL", "Input validation failed")
    return str(url)
