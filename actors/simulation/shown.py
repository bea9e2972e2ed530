"""What is shown agrees with the rows: lists page by page, the queue, names, selections, and numbers.

Asked of the ledger's queries on the connection of the rows themselves, at two moments of each world: when its faults
end, while jobs wait and run, and after its end. What is expected comes from the rows by statements of this file. Each
moment draws a few of the lists, orders, names and selections: many worlds ask all, and none takes long for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import attrs
from sqlalchemy import Connection

from actors.jobs.pages import Page
from actors.jobs.records import ApprovalStatus, JobStatus
from actors.jobs.refusal import Refused
from actors.jobs.selections import Action, Selection
from actors.jobs.views import EVERYTHING, NEWEST_FIRST, JobFilters, JobOrder, JobSort, JobView, Viewer
from actors.ledger import listing, naming, prune, queries, selections
from actors.ledger.page_request import PageRequest
from actors.ledger.queries import DecisionContext
from actors.simulation.database import engine
from actors.simulation.pinned import source
from actors.simulation.rules import Rule
from actors.simulation.shown_job import check_job
from actors.simulation.shown_rows import JOBS, Row
from actors.simulation.states import ENDED
from actors.simulation.world import World
from actors.store.types import microseconds

_PAGES = 3
"""Of a list, some."""
_HELD = ("pending", "blocked")
_STRANGER = Viewer("nobody", only_own=True)
_NOT_DUE = ("waits for ", "starts at ")
"""How the reasons begin of jobs that wait for others or for their time."""
_NOTHING = ("None", " 0 more")
"""What no refusal says."""


_KEYS: dict[JobSort, Callable[[Row], Any]] = {
    JobSort.CREATED: lambda row: row.job_id,
    JobSort.NAME: lambda row: row.name,
    JobSort.STATUS: lambda row: row.status,
    JobSort.STARTED: lambda row: row.started_at,
    JobSort.ENDED: lambda row: row.completed_at,
}
_AMONG: dict[Action, frozenset[str]] = {
    Action.CANCEL: frozenset(JobStatus) - ENDED,
    Action.RETRY: frozenset({"failed", "cancelled"}),
    Action.PRIORITISE: frozenset({"pending"}),
    Action.REMOVE: ENDED,
    Action.SETTLE: frozenset(JobStatus) - ENDED,
}


def check_shown(world: World, context: DecisionContext, moment: str) -> None:
    """Ask some of it, past all that may happen to statements."""
    rows = [Row(*one) for one in world.database.look(JOBS)]
    with world.database.disk.silent(), engine().connect() as connection:
        shown = _Shown(world, connection, context, rows, source(world.seed, f"shown {moment}"))
        shown.check()


@attrs.frozen
class _Shown:
    _world: World
    _connection: Connection
    _context: DecisionContext
    _rows: list[Row]
    _draw: Random

    def check(self) -> None:
        """Everything once, of what has many forms a few."""
        for filters, fits in self._drawn(list(self._filters()), 2):
            self._list(NEWEST_FIRST, filters, fits)
        orders = [JobOrder(sort, descending) for sort in _KEYS for descending in (False, True)]
        for order in self._drawn(orders, 1):
            self._order(order)
        self._queue()
        self._numbers()
        named = self._world.database.look("SELECT 1 FROM settings WHERE name = 'instance.id'")
        self._same("the runtime's own id", named, [(1,)])
        self._approvals()
        for row in self._drawn(self._rows, 2):
            self._name(row)
            self._view(row)
            for action in self._drawn(list(Action), 1):
                self._selection(action, row)

    def _drawn(self, of: Sequence[Any], number: int) -> list[Any]:
        return self._draw.sample(of, min(number, len(of)))

    def _same(self, what: str, got: Sequence[Any], expected: Sequence[Any]) -> None:
        text = f"{what}: {got} are shown, {expected} are there"
        self._world.require(list(got) == list(expected), Rule.SHOWN, text)

    def _refuses(self, what: str, ask: Callable[..., object], *args: Any) -> None:
        try:
            answer = ask(self._connection, *args)
        except Refused as refusal:
            said = not any(text in str(refusal) for text in _NOTHING)
            self._world.require(said, Rule.SHOWN, f"{what}: {refusal}")
            return
        self._world.require(False, Rule.SHOWN, f"{what}: is not refused but {answer}")

    def _walked(self, page: Callable[[PageRequest], Page[Any]]) -> Iterator[Any]:
        """All of a list, page by page."""
        rows, cursor = len(self._rows) // _PAGES + 1, None
        while True:
            found = page(PageRequest(rows, cursor, "checker"))
            self._world.require(len(found) <= rows, Rule.SHOWN, f"{len(found)} in a page of {rows}")
            yield from found
            cursor = found.next
            if cursor is None:
                return

    # Lists.

    def _filters(self) -> Iterator[tuple[JobFilters, Callable[[Row], bool]]]:
        yield {}, lambda row: True
        if self._rows:
            one = self._draw.choice(self._rows)
            yield {"statuses": (JobStatus(one.status),)}, lambda row: row.status == one.status
            yield {"user_id": one.user_id}, lambda row: row.user_id == one.user_id
            yield {"provider": one.provider}, lambda row: row.provider == one.provider
            yield {"text": one.job_id[-8:]}, lambda row: row.holds(one.job_id[-8:])
            yield {"name": one.name}, lambda row: one.name in (None, row.name)
        yield {"org_id": "lab"}, lambda row: row.org_id == "lab"
        yield {"group": "night"}, lambda row: row.group == "night"

    def _list(self, order: JobOrder, filters: JobFilters, fits: Callable[[Row], bool]) -> list[Row]:
        context, by_id = self._context, {row.job_id: row for row in self._rows}

        def page(asked: PageRequest) -> Page[JobView]:
            return listing.jobs_page(self._connection, asked, None, filters, context, order)

        views = list(self._walked(page))
        if filters and (cursor := page(PageRequest(1, None, "checker")).next) is not None:
            asked = PageRequest(1, cursor, "checker")
            self._refuses("the place in another list", listing.jobs_page, asked, None, {}, context, order)
        ids, there = [one.job.job_id for one in views], [row.job_id for row in self._rows if fits(row)]
        if not order.is_newest_first:
            ids, there = sorted(ids), sorted(there)
        self._same(f"jobs {filters}", ids, there)
        for view in views:
            row = by_id[view.job.job_id]
            self._same(row.job_id, [view.job.status, view.entry.status], [row.status, row.entry])
            held = row.entry in _HELD
            self._world.require((view.reason is not None) >= held, Rule.SHOWN, f"{row} has no reason to wait")
            named = (view.reason or "").startswith(_NOT_DUE) or not row.is_not_due or row.can_be_settled
            self._world.require(named, Rule.SHOWN, f"{row} waits for others or for its time, not: {view.reason}")
            self._world.require(row.entry != "blocked" or view.approval, Rule.SHOWN, f"{row} has no approval")
        return [by_id[one.job.job_id] for one in views]

    def _order(self, order: JobOrder) -> None:
        got = [_KEYS[order.sort](row) for row in self._list(order, {}, lambda row: True)]
        there = sorted((one for one in got if one is not None), reverse=order.descending)
        self._same(f"{order}", got, [*there, *[None] * (len(got) - len(there))])

    def _view(self, row: Row) -> None:
        older = listing.jobs_page(self._connection, PageRequest(1), row.job_id, {}, self._context)
        following = [one.job_id for one in self._rows[self._rows.index(row) + 1 :][:1]]
        self._same(f"before {row.job_id}", [one.job.job_id for one in older], following)
        shown = queries.view(self._connection, row.job_id, self._context)
        self._same(row.job_id, [shown.job.job_id, shown.job.status], [row.job_id, row.status])
        check_job(self._world, self._connection, shown)

    def _queue(self) -> None:
        connection, context = self._connection, self._context
        user = self._draw.choice([None, *sorted({row.user_id for row in self._rows})])
        found = list(self._walked(lambda asked: listing.queue_view(connection, asked, user, context).waiting))
        held = sorted(row.job_id for row in self._rows if row.entry in _HELD and user in (None, row.user_id))
        self._same(f"waiting of {user}", sorted(one.job.job_id for one in found), held)
        places = [one.position for one in found if one.position is not None]
        self._same(f"places of {user}", places, sorted(set(places)))
        view = listing.queue_view(connection, PageRequest(1), None, context)
        counts = Counter(row.entry for row in self._rows)
        self._same("running", [view.running], [sum(row.holds_slot for row in self._rows)])
        self._same("entries", sorted((k, n) for k, n in view.counts.items() if n), sorted(counts.items()))
        self._same("limits", [view.limits], [self._world.limits[-1][1]])
        there = [row.job_id for row in self._rows if row.status == "queued" and row.waits_there]
        self._same("at providers", [one.job.job_id for one in view.at_providers], there)
        closed = self._world.database.look(
            "SELECT provider FROM provider_gates"
            " WHERE provider != '*' AND (paused_reason IS NOT NULL OR closed_until > ?)",
            (microseconds(context.now),),
        )
        self._same("closed", sorted(view.closed_providers), sorted(name for (name,) in closed))

    def _numbers(self) -> None:
        counted = queries.plain_counts(self._connection)
        for what, values in (
            ("jobs", [row.status for row in self._rows]),
            ("queue", [row.entry for row in self._rows]),
        ):
            shown = {status: number for status, number in counted[what].items() if number}
            self._same(what, sorted(shown.items()), sorted(Counter(values).items()))
        busy = listing.activity_view(self._connection, None, self._context.now)
        entries = Counter(row.entry for row in self._rows)
        waiting = entries["pending"] + entries["blocked"]
        self._same(
            "busy", [busy.waiting, busy.blocked, busy.running], [waiting, entries["blocked"], entries["running"]]
        )
        before = self._context.now + timedelta(seconds=1)
        old = sum(row.completed_at is not None and row.completed_at < microseconds(before) for row in self._rows)
        removed = prune.outlook(self._connection, before).jobs
        self._world.require(0 <= removed <= old, Rule.SHOWN, f"{removed} would be removed of {old}")
        if not self._world.jumped_at and all(row.status in ENDED for row in self._rows):
            self._same("old jobs", [removed], [old])

    def _approvals(self) -> None:
        connection, now = self._connection, microseconds(self._context.now)
        owners = {row.job_id: row.user_id for row in self._rows}
        asked = self._world.database.look(
            "SELECT approval_id, job_id, status, expires_at FROM approvals ORDER BY approval_id DESC"
        )
        statuses = self._draw.choice([(), *((one,) for one in ApprovalStatus)])
        user = self._draw.choice([None, *sorted(set(owners.values()))])
        got = self._walked(lambda page: listing.approvals_page(connection, page, statuses, user))
        fit = [
            one for one, job_id, status, _ in asked
            if (not statuses or status in statuses) and user in (None, owners[job_id])
        ]  # fmt: skip
        self._same(f"approvals {statuses} of {user}", [one.approval_id for one in got], fit)
        pending = [(at, one) for one, _, status, at in asked if status == "pending"]
        due, following = queries.deadlines(connection, self._context.now)
        self._same("due", sorted(due), sorted(one for at, one in pending if at <= now))
        if following is not None:
            self._same("the next deadline", [microseconds(following)], [min(at for at, _ in pending)])
        for approval_id, job_id, *_ in self._drawn(asked, 1):
            found = queries.approval(connection, approval_id)
            self._same(approval_id, [found.approval_id, found.job_id], [approval_id, job_id])
            for text in (approval_id, job_id, job_id[-12:]):
                self._same(f"request {text}", [naming.find_approval(connection, text)], [approval_id])

    # Which jobs are meant.

    def _name(self, row: Row) -> None:
        named = [one.job_id for one in self._rows if one.name == row.name]
        for text in (row.job_id, row.job_id[-12:], *([row.name] if row.name and len(named) == 1 else [])):
            for viewer in (EVERYTHING, Viewer(row.user_id, only_own=True)):
                found = naming.find(self._connection, text, viewer)
                self._same(f"{text} for {viewer}", [found.job.job_id, found.of], [row.job_id, 1])
            self._refuses(f"{text} for another", naming.find, text, _STRANGER)
        if row.name:
            newest = naming.find(self._connection, row.name, newest=True)
            self._same(row.name, [newest.job.job_id, newest.of], [named[0], len(named)])
        if len(named) > 1:
            self._refuses("one of several", naming.find, row.name)
        text = self._draw.choice(["nobody-has-this-name", "x", ""])
        self._refuses(f"job {text!r}", naming.find, text)
        self._refuses(f"request {text!r}", naming.find_approval, text)

    def _selection(self, action: Action, one: Row) -> None:
        connection, again = self._connection, {row.retry_of for row in self._rows}
        fit = [row for row in self._rows if row.user_id == one.user_id and row.status in _AMONG[action]]
        if action is Action.SETTLE:
            fit = [row for row in fit if row.can_be_settled]
        left = [row.job_id for row in fit if action is not Action.RETRY or row.job_id not in again]
        by_user, by_id = Selection(user_id=one.user_id), Selection(jobs=(one.job_id,))
        for viewer in (EVERYTHING, Viewer(one.user_id, only_own=True)):
            if not left:
                self._refuses(f"{action} of nothing", selections.choose, by_user, action, viewer)
                continue
            chosen = selections.choose(connection, by_user, action, viewer)
            expected = left if action is Action.CANCEL else left[::-1]
            self._same(f"{action} of {one.user_id}", [found.job_id for found in chosen.jobs], expected)
            self._same(f"left out of {action}", [chosen.left_out], [len(fit) - len(left)])
        for selection in (by_user, by_id):
            self._refuses("a stranger", selections.choose, selection, action, _STRANGER)
        meant = selections.choose(connection, by_id, action, EVERYTHING).jobs
        self._same("named", [found.job_id for found in meant], [one.job_id])
