"""The stream of events: every change once, in order, from where a reader was."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from starlette.requests import Request

from actors.access.permission import OWN_STREAM, VIEWER
from actors.api.bodies import EventsQuery
from actors.api.naming import NEWEST, newest_header
from actors.api.route import Call, Nothing, route
from actors.api.sse import EVENT_STREAM, LAST_EVENT_ID, EventStream, Streamed, framed
from actors.control.event_reader import LARGEST_SEQ
from actors.documents.events import EventTypesDocument, event_document
from actors.jobs import maxima
from actors.jobs.events import Concern, EventType, concerning
from actors.jobs.records import Event
from actors.jobs.refusal import invalid

_UNNAMED = concerning(Concern.UNNAMED)


class _Frames:
    """The newest events in their encoded form: an event is encoded once, however many readers there are.

    ``named``: events that have a name are sent with it.
    """

    def __init__(self, *, named: bool, most: int = 1_000) -> None:
        self._named = named
        self._most = most
        self._kept: dict[int, tuple[Event, bytes]] = {}

    def of(self, event: Event) -> bytes:
        """The encoded form of ``event``."""
        found = self._kept.get(event.seq)
        if found is not None and found[0] is event:  # of two runtimes in one process, numbers are the same
            return found[1]
        name = None if event.type in _UNNAMED or not self._named else event.type
        frame = framed(event_document(event), name, event.seq)
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[event.seq] = event, frame
        return frame


_FRAMES = {named: _Frames(named=named) for named in (True, False)}


async def events(call: Call[Nothing, EventsQuery]) -> Streamed:
    """Send every change from now on, or after ``Last-Event-ID`` (``?after=``), as server-sent events.

    First comes a ``connection`` event, whose ``id`` is where this stream begins; then a ``gap`` if events after the
    requested number were removed since. There is a comment every 15 s, and a ``goodbye`` when the supervisor stops.
    Users who may see only their own jobs get the events of those.
    """
    asked, runtime = call.query, call.runtime
    after = _last_event_id(call.request)
    after = asked.after if after is None else after
    user_id = call.visible_user(asked.user)
    job_id, newest, frames = asked.job_id, None, _FRAMES[asked.named]
    if job_id is not None:
        named = await runtime.jobs.named(job_id, call.peer.viewer, newest=True)
        job_id, newest = named.job.job_id, newest_header(named)
    types = _types(asked.types)
    start, gap = await runtime.event_reader.place_to_begin(after)
    if job_id is not None and gap is not None and gap.resume == after:
        gap = None  # events of other jobs: a job's own are removed with the job, never in part

    async def produce(stream: EventStream) -> None:
        async with runtime.events(after=start, job_id=job_id, types=types, user_id=user_id) as found:
            # With an id, so that a reader whose connection breaks before the first event has a place to resume.
            await stream.send({"type": "connected"}, "connection", start)
            if gap is not None:
                await stream.send({"type": "gap", **attrs.asdict(gap)}, "gap")
            async for event in found:
                await stream.send_piece(frames.of(event))

    stream = Streamed(EventStream(call.ending, produce).run, EVENT_STREAM)
    if newest is not None:
        stream.headers[NEWEST] = newest
    return stream


async def event_types(call: Call[Nothing, Nothing]) -> EventTypesDocument:
    """List every type of event. A stream sends the named ones as events of that name, the others as ``message``."""
    return {"types": [{"type": one.value, "named": one not in _UNNAMED} for one in EventType]}


def _types(texts: Iterable[str]) -> list[str]:
    """The types, each once; one text may name several. Raises :class:`Refused` for more names than a list may have."""
    types = list(dict.fromkeys(name for text in texts for name in text.split(",") if name))
    if len(types) > maxima.CHOICES:
        raise invalid("types", f"must name at most {maxima.CHOICES}, not {len(types)}")
    return types


def _last_event_id(request: Request) -> int | None:
    """The number after which to continue. The header wins: a browser sends it when it connects again."""
    header = request.headers.get("last-event-id")
    if header is None:
        return None
    if header.isascii() and header.isdigit() and len(header) < 20 and int(header) <= LARGEST_SEQ:
        return int(header)
    raise invalid("Last-Event-ID", f"must be the id of an event, not {header!r:.80}")


ROUTES = [
    route("GET", "/api/events", events, OWN_STREAM, media=EVENT_STREAM, headers=LAST_EVENT_ID),
    route("GET", "/api/events/types", event_types, VIEWER),
]
