"""The queue: what waits, in numbers too, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, cast

import attrs

from actors.documents.common import from_fields
from actors.documents.jobs import JobDocument, job_document
from actors.jobs.durations import seconds_between
from actors.jobs.estimates import Span
from actors.jobs.options import Limits
from actors.jobs.views import JobView, QueueView, ReservationView

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


class QueueHead(TypedDict):
    """What limits the queue. ``closed_providers`` says why a provider gets no jobs now.

    ``pruning_held``: why old jobs are not removed now and how that ends; null if they are. ``at_providers``: the newest
    jobs that wait at their providers, if the provider says why; on the first page only.
    """

    summary: str
    running: int
    counts: dict[str, int]
    limits: list[LimitDocument]
    closed_providers: dict[str, str]
    paused: str | None
    pruning_held: str | None
    reservations: list[ReservationView]
    at_providers: list[JobDocument]


def queue_head(view: QueueView) -> QueueHead:
    """What limits the queue, without the waiting entries."""
    return from_fields(
        QueueHead, view, limits=limits_document(view.limits, view.limit_sources),
        at_providers=[job_document(one) for one in view.at_providers],
    )  # fmt: skip


class QueueDocument(QueueHead):
    """The queue at one moment, in the order in which jobs would start.

    ``next``: the ``cursor`` of the next page, which is ordered as of this moment; null: this is the last.
    """

    waiting: list[JobDocument]
    next: str | None


def queue_document(view: QueueView) -> QueueDocument:
    """The queue at one moment, in the order in which jobs would start."""
    return {
        **queue_head(view),
        "waiting": [job_document(one) for one in view.waiting],
        "next": view.waiting.next,
    }


class QueueStatsDocument(TypedDict):
    """The queue in numbers: entries by status, why no more jobs start, and how long the oldest entry has waited."""

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
    """A job's place in the queue. ``position``: how many entries are considered before it, 0 for the first."""

    job_id: str
    queue_status: str
    position: int | None
    estimate_seconds: float | None
    estimated_start: Span | None
    estimated_end: Span | None
    priority: int
    priority_override: int | None
    attempt: int
    max_attempts: int
    queued_at: datetime | None
    not_before: datetime | None
    start_after: datetime | None
    reason: str | None
    setting: str | None


def entry_document(view: JobView) -> EntryDocument:
    """A job's place in the queue, with the fields of its document."""
    job = job_document(view)
    return cast("EntryDocument", {key: job[key] for key in EntryDocument.__annotations__})  # type: ignore[literal-required]
