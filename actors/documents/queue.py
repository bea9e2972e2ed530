"""The queue: what waits, in numbers, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, cast

import attrs

from actors.documents.common import Moment, from_fields
from actors.documents.jobs import JobDocument, SpanDocument, job_document
from actors.jobs.activity import Activity
from actors.jobs.durations import seconds_between
from actors.jobs.options import Limits
from actors.jobs.views import JobView, QueueView

_DEFAULTS = Limits()


class LimitDocument(TypedDict):
    """A limit in force.

    ``source``: ``default``; ``configured`` with another value than the default; or ``stored``: changed at run time.
    """

    name: str
    value: int | bool
    source: str


class LimitsDocument(TypedDict):
    """Every limit."""

    limits: list[LimitDocument]


def limits_document(limits: Limits, sources: Mapping[str, str]) -> list[LimitDocument]:
    """Every limit by name, its value and where that came from. ``sources``: of those that were not configured."""
    plain = {name: value for name, value in attrs.asdict(limits).items() if name != "per_provider"}
    sources = {name: "default" for name, value in plain.items() if value == getattr(_DEFAULTS, name)} | dict(sources)
    plain |= {f"per_provider.{name}": value for name, value in limits.per_provider.items()}
    return [{"name": name, "value": value, "source": sources.get(name, "configured")} for name, value in plain.items()]


class MinuteDocument(TypedDict):
    """One minute: how many jobs ended in it, by their ends, and how many waited and ran at its end."""

    completed: int
    failed: int
    cancelled: int
    waiting: int
    running: int


class ActivityDocument(TypedDict):
    """The ``minutes`` of the last hour, the first of which begins at ``begins_at``, and the numbers of now.

    ``waiting`` counts those that wait for an approval, too; ``blocked``: how many those are. The numbers of past
    minutes follow from the starts and ends of jobs: one that was run again counts with its last run.
    """

    begins_at: Moment | None
    minutes: list[MinuteDocument]
    waiting: int
    blocked: int
    running: int


def activity_document(found: Activity) -> ActivityDocument:
    """How busy it was in the last hour, and is."""
    minutes = [from_fields(MinuteDocument, one) for one in found.minutes]
    return from_fields(ActivityDocument, found, minutes=minutes)


class ReservationDocument(TypedDict):
    """What is kept free at a provider for one job; ``job_id`` is null where it is another user's."""

    provider: str
    job_id: str | None
    text: str


class QueueHead(TypedDict):
    """What bounds the queue; a provider that is closed says why.

    ``pruning_held``: why nothing is removed by its age now and how that ends; null where nothing holds it.
    ``at_providers``: the newest of those that were handed over and wait at a provider that says why; on the first page.
    """

    summary: str
    running: int
    counts: dict[str, int]
    limits: list[LimitDocument]
    closed_providers: dict[str, str]
    paused: str | None
    pruning_held: str | None
    reservations: list[ReservationDocument]
    at_providers: list[JobDocument]


def queue_head(view: QueueView) -> QueueHead:
    """What bounds the queue, without what waits in it."""
    return from_fields(
        QueueHead, view, limits=limits_document(view.limits, view.limit_sources),
        reservations=[from_fields(ReservationDocument, one) for one in view.reservations],
        at_providers=[job_document(one) for one in view.at_providers],
    )  # fmt: skip


class QueueDocument(QueueHead):
    """The queue at one moment, in the order in which it would run; a provider that is closed says why.

    ``next`` goes into ``cursor`` for the page after, which is ordered as of this moment; null: this is the last one.
    """

    waiting: list[JobDocument]
    next: str | None


def queue_document(view: QueueView) -> QueueDocument:
    """The queue at one moment, in the order in which it would run."""
    return {
        **queue_head(view),
        "waiting": [job_document(one) for one in view.waiting],
        "next": view.waiting.next,
    }


class QueueStatsDocument(TypedDict):
    """The queue in numbers: entries by status, why nothing more runs, and how long the oldest entry waits."""

    summary: str
    running: int
    counts: dict[str, int]
    oldest_wait_seconds: float | None
    closed_providers: dict[str, str]
    paused: str | None


def stats_document(view: QueueView, now: datetime) -> QueueStatsDocument:
    """The queue in numbers."""
    oldest = view.oldest_queued_at
    return from_fields(
        QueueStatsDocument, view, oldest_wait_seconds=None if oldest is None else seconds_between(oldest, now)
    )


class EntryDocument(TypedDict):
    """A job's place in the queue. ``position``: how many would be looked at before it, 0 for the first."""

    job_id: str
    queue_status: str
    position: int | None
    estimate_seconds: float | None
    estimated_start: SpanDocument | None
    estimated_end: SpanDocument | None
    priority: int
    priority_override: int | None
    attempt: int
    max_attempts: int
    queued_at: Moment | None
    not_before: Moment | None
    start_after: Moment | None
    reason: str | None
    setting: str | None


def entry_document(view: JobView) -> EntryDocument:
    """A job's place in the queue: what its document says of it."""
    job = job_document(view)
    return cast("EntryDocument", {key: job[key] for key in EntryDocument.__annotations__})  # type: ignore[literal-required]
