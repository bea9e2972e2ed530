"""Lists in pages: what the caller may see is selected in SQL, before any limit (D3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs
from sqlalchemy import Connection

from actors.jobs.activity import Activity, activity, beginning
from actors.jobs.pages import Cursors, Page
from actors.jobs.records import ApprovalRequest, ApprovalStatus, JobStatus
from actors.jobs.refusal import RefusalKind, Refused, invalid
from actors.jobs.scheduling import Decision
from actors.jobs.views import NEWEST_FIRST, JobFilters, JobOrder, JobView, QueueView, ReservationView
from actors.ledger.limits import limits_view
from actors.ledger.page_request import PageRequest
from actors.ledger.queries import DecisionContext, JobContexts, of_jobs, with_forecast
from actors.store import activity as activity_rows
from actors.store import approvals, gates, holds, jobs, queue, sorted_jobs, waiting

_AT_PROVIDERS = 100


def jobs_page(
    connection: Connection,
    request: PageRequest,
    before: str | None,
    filters: JobFilters,
    context: DecisionContext,
    order: JobOrder = NEWEST_FIRST,
) -> Page[JobView]:
    """Jobs in ``order``. Raises :class:`Refused` for ``before`` with another order than the newest first."""
    request.check()
    if not order.is_newest_first:
        return _sorted_page(connection, request, order, before, filters, context)
    if before is not None and not _is_id(before):
        message = "before: must be the id of a job; what `next` says goes into cursor"
        raise Refused(message, RefusalKind.INVALID, "before")
    cursors = Cursors[JobView]("jobs", request.caller, before, _scope(filters))
    place = cursors.read(request.cursor, str)
    start = before if place is None else str(place[0])
    found, more = jobs.page(connection, before=start, limit=request.limit, **filters)
    views = of_jobs(connection, found, context)
    return Page(views, more=more, cursor=lambda view: cursors.write((view.job.job_id,)))


def _sorted_page(
    connection: Connection,
    request: PageRequest,
    order: JobOrder,
    before: str | None,
    filters: JobFilters,
    context: DecisionContext,
) -> Page[JobView]:
    if before is not None:
        raise invalid("before", "goes with jobs that are listed newest first; here `next` goes into cursor")
    cursors = Cursors[JobView]("sorted jobs", request.caller, order.sort.value, order.descending, _scope(filters))
    place = cursors.read(request.cursor, str, str, int)
    after = None if place is None else sorted_jobs.Place(*place)  # type: ignore[arg-type]
    found, more = sorted_jobs.page(connection, order, after, request.limit, filters)
    views = of_jobs(connection, found, context)
    return Page(
        views, more=more, cursor=lambda view: cursors.write(attrs.astuple(sorted_jobs.place_of(view.job, order.sort)))
    )


def _scope(filters: JobFilters) -> list[tuple[str, object]]:
    """The filters that narrow a list, as plain values in a fixed order."""
    return sorted((name, _words(value)) for name, value in filters.items() if value not in (None, (), []))


def approvals_page(
    connection: Connection, request: PageRequest, statuses: Iterable[ApprovalStatus], user_id: str | None
) -> Page[ApprovalRequest]:
    """Approval requests, newest first; ``user_id``: only those of this user's jobs."""
    request.check()
    chosen = tuple(statuses)
    cursors = Cursors[ApprovalRequest]("approvals", request.caller, _words(chosen), user_id)
    place = cursors.read(request.cursor, str)
    before = None if place is None else str(place[0])
    found, more = approvals.page(connection, chosen, request.limit, user_id=user_id, before=before)
    return Page(found, more=more, cursor=lambda one: cursors.write((one.approval_id,)))


def queue_view(
    connection: Connection, request: PageRequest, user_id: str | None, context: DecisionContext
) -> QueueView:
    """Waiting entries in the order in which they would start, and what limits them. ``user_id``: only this user's
    entries.
    """
    request.check()
    cursors = Cursors[JobView]("queue", request.caller, user_id)
    place = cursors.read(request.cursor, int, int, int, int, int)
    try:
        after = None if place is None else waiting.Spot.of_place(place)
    except OverflowError:  # made by hand
        raise Refused("cursor: begin without it", RefusalKind.INVALID, "cursor") from None
    found, more = (
        ([], False)
        if not request.limit
        else waiting.page(connection, context.now, request.limit, user_id=user_id, after=after)
    )
    effective, sources = limits_view(connection, context.configured)
    closed = {name: why for name, gate in gates.read(connection).items() if (why := gate.closed(context.now))}
    paused = closed.pop(gates.EVERY, None)
    decision = context.decide(connection)
    return QueueView(
        waiting=_page(_views(connection, found, decision, context), found, more, cursors),
        running=sum(one.count for one in queue.running(connection)),
        counts={status.value: number for status, number in queue.counts(connection).items()},
        limits=effective,
        limit_sources=sources,
        closed_providers=closed,
        summary=decision.summary,
        paused=paused,
        oldest_queued_at=queue.oldest_waiting(connection),
        pruning_held=None if (hold := holds.current(connection)) is None else hold.in_words(),
        reservations=_reservations(connection, decision, user_id),
        at_providers=_at_providers(connection, user_id, context) if request.limit and place is None else [],
    )


def _at_providers(connection: Connection, user_id: str | None, context: DecisionContext) -> list[JobView]:
    """The newest jobs that wait at their providers. ``user_id``: only this user's."""
    found, _ = jobs.page(connection, limit=_AT_PROVIDERS, statuses=(JobStatus.QUEUED,), user_id=user_id)
    return of_jobs(connection, [one for one in found if one.waiting_reason is not None], context)


def activity_view(connection: Connection, user_id: str | None, now: datetime) -> Activity:
    """What ended in the last hour and how many waited and ran; ``user_id``: only this user's jobs."""
    begins_at = beginning(now)
    return activity(
        begins_at,
        activity_rows.changes(connection, begins_at, user_id),
        *activity_rows.numbers_now(connection, user_id),
    )


def _reservations(connection: Connection, decision: Decision, user_id: str | None) -> list[ReservationView]:
    """What is kept, and for which job. Callers who see only their own jobs learn nothing about those of others."""
    by_id = jobs.get_many(connection, [one.job_id for one in decision.reservations])
    views = []
    for one in decision.reservations:
        job = by_id.get(one.job_id)
        visible = job is not None and user_id in (None, job.request.user_id)
        name = "another user's job" if job is None or not visible else job.request.config_name or job.job_id
        views.append(ReservationView(one.provider, one.job_id if visible else None, one.in_words(name)))
    return views


def _views(
    connection: Connection,
    found: Sequence[waiting.Waiting],
    decision: Decision,
    context: DecisionContext,
) -> list[JobView]:
    ids = [one.job_id for one in found]
    by_id, entries = jobs.get_many(connection, ids), queue.get_many(connection, ids)
    contexts = JobContexts(connection, entries, decision, context.now)
    forecasts = context.forecasts(connection) if found else {}
    views = []
    for one in found:
        if one.job_id not in by_id or one.job_id not in entries:
            continue  # damaged, and reported
        view = attrs.evolve(contexts.view(by_id[one.job_id], entries[one.job_id]), position=one.ahead)
        views.append(with_forecast(view, forecasts, context.now))
    return views


def _page(
    views: list[JobView], found: Iterable[waiting.Waiting], more: bool, cursors: Cursors[JobView]
) -> Page[JobView]:
    spots = {one.job_id: one.spot for one in found}
    return Page(views, more=more, cursor=lambda view: cursors.write(spots[view.job.job_id].as_place()))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isalnum() and text == text.lower()


def _words(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, tuple | list | set | frozenset) else str(value)
