"""Events as sentences for people, and the stream of events as documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from actors.cli.address import program
from actors.cli.job_text import Document, progress_text
from actors.cli.tables import plain, short
from actors.jobs import events
from actors.jobs.events import EventType


def _typed(*words: str) -> str:
    return " ".join((program(), *words))


def describe(event: Document, name: str | None = None, typed: Callable[..., str] = _typed) -> str:
    """One event as a line: time, what it is about, what happened.

    ``name`` is what people call its job. ``typed`` turns the words of a suggested command into what a person types.
    """
    time = event.get("time")
    clock = "" if time is None else f"{datetime.fromisoformat(time).astimezone():%H:%M:%S}  "
    about = name or (f"job {short(event['job_id'])}" if event.get("job_id") else "")
    return plain(f"{clock}{about + ' ' if about else ''}{_happened(event, typed)}")


def _happened(event: Document, typed: Callable[..., str]) -> str:
    sentence = events.describe(event["type"], event)
    match event["type"]:
        case EventType.JOB_STATUS_CHANGED if event.get("status") == "queued":
            sentence += " at its provider"
        case EventType.JOB_STATUS_CHANGED if event.get("status") in ("completed", "failed"):
            sentence = str(event["status"])
        case EventType.JOB_PROGRESS:
            return f"{sentence} {progress_text(event.get('progress')) or 'reported'}"
        case EventType.LIMITS_CHANGED if event.get("limit"):
            return f"limits: {event.get('limit')} is now {event.get('value')}"
    by = f" by {event['by']}" if event.get("by") else ""
    why = event.get("reason") or event.get("error_message")
    text = sentence + by
    if why and str(why) not in text:
        text += f": {why}"
    if event["type"] == EventType.APPROVAL_REQUESTED:
        text += f"; to approve it: {typed('approve', short(event['approval_id']))}"
    return text


def missing_events(gap: Document) -> str:
    """The line about events that can no longer be had."""
    return f"({gap['missing']} events after {gap['after']} are no longer kept)"


def parsed(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """The events of a ``text/event-stream`` as (name, document, id of the last one with an id); an unnamed one is a
    ``message``.
    """
    name, data, id_ = "message", "", None
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "id":
            id_ = value
        elif field == "event":
            name = value
        elif field == "data":
            data = value
        elif not line:
            if data:
                yield name, orjson.loads(data), id_
            name, data = "message", ""
