"""Events."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, cast

from actors.jobs.records import Event


class EventDocument(TypedDict):
    """A change. Its other fields depend on its type; an event about a job has the job's owner in ``user_id``."""

    type: str
    job_id: str | None
    seq: int
    time: datetime | None
    correlation_id: str


def event_document(event: Event) -> EventDocument:
    """A change as clients see it."""
    message = event.as_message()
    message |= {"seq": event.seq, "time": event.time, "correlation_id": event.correlation_id}
    return cast("EventDocument", message)


class EventsDocument(TypedDict):
    """Events in order. ``next``: the ``after`` of the next page; null: there are no later events yet."""

    events: list[EventDocument]
    next: int | None


class EventTypeDocument(TypedDict):
    """A type of event. ``named``: in a stream of server-sent events it is also the event's name."""

    type: str
    named: bool


class EventTypesDocument(TypedDict):
    """Every type of event."""

    types: list[EventTypeDocument]
