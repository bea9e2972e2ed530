"""Events."""

from __future__ import annotations

from typing import TypedDict, cast

from actors.documents.common import Moment, moment
from actors.jobs.records import Event


class EventDocument(TypedDict):
    """A change. What else there is depends on its type; of a job's there is ``user_id``, whose job it is."""

    type: str
    job_id: str | None
    seq: int
    time: Moment | None
    correlation_id: str


def event_document(event: Event) -> EventDocument:
    """A change as clients see it."""
    message = event.as_message()
    message |= {"seq": event.seq, "time": moment(event.time), "correlation_id": event.correlation_id}
    return cast("EventDocument", message)


class EventsDocument(TypedDict):
    """Events in order. ``next`` goes into ``after`` for the page after; null: nothing more has happened yet."""

    events: list[EventDocument]
    next: int | None


class EventTypeDocument(TypedDict):
    """A type of event. ``named``: in a stream of server-sent events it is the event's name, too."""

    type: str
    named: bool


class EventTypesDocument(TypedDict):
    """Every type of event."""

    types: list[EventTypeDocument]
