"""Operations on several jobs at once: cancel, retry, prioritise, remove, settle (E1)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import attrs
import trio

from actors.control.context import Context
from actors.control.jobs import Jobs
from actors.control.removing import Removing
from actors.job_requests.rights import THE_PROGRAM, Submitter
from actors.jobs.records import Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.selections import Action, Outcome, Result, Selection
from actors.jobs.views import EVERYTHING, Accepted, Viewer
from actors.ledger import approvals, selections
from actors.store import Transaction
from actors.store import jobs as job_rows
from actors.store.errors import DamagedRow
from actors.store.names import Called

BATCH = 100
"""The most jobs of one transaction: other writers wait for it some milliseconds."""

_SIZES = {Action.REMOVE: 1, Action.RETRY: 1_000, Action.SETTLE: 1}
"""Jobs of one step. Removals and verdicts wait for a provider; jobs that wait for each other are submitted together."""

Act = Callable[[Sequence[Called]], Awaitable[list[Result]]]


class Selections:
    """Changes of several jobs. Each job is changed independently: if one cannot be changed, the others still are.

    Each operation takes ``viewer``, whose visible jobs are selected from; ``dry_run``: only list the jobs; and
    ``seconds``, after which it stops with the present batch and lists the remaining jobs in ``left``.
    """

    def __init__(self, context: Context, jobs: Jobs, removing: Removing) -> None:
        self._ledger = context.ledger
        self._jobs = jobs
        self._removing = removing

    async def cancel(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, by: str | None = None, level: str = "admin",
        dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Cancel jobs, as :meth:`Jobs.cancel` does; a selection is made among jobs that have not ended."""

        def cancel(tx: Transaction, one: Called) -> Result:
            return _done(one, status=approvals.cancel(tx, one.job_id, by=by, level=level).status.value)

        act = partial(self._in_one_transaction, verb=cancel, by=by)
        return await self._each(Action.CANCEL, selection, viewer, act, dry_run, seconds)

    async def prioritise(
        self, selection: Selection, override: int | None, *, viewer: Viewer = EVERYTHING, by: str | None = None,
        dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Override priorities, as :meth:`Jobs.prioritise` does; a selection is made among waiting jobs."""

        def prioritise(tx: Transaction, one: Called) -> Result:
            approvals.prioritise(tx, one.job_id, override, by=by)
            return _done(one)

        act = partial(self._in_one_transaction, verb=prioritise, by=by)
        return await self._each(Action.PRIORITISE, selection, viewer, act, dry_run, seconds)

    async def retry(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, submitter: Submitter = THE_PROGRAM,
        check: bool = True, dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Submit jobs again, as :meth:`Jobs.retry` does; a selection is made among failed and cancelled jobs.

        A selection leaves out jobs that were submitted again before; a job that is named is always submitted again. If
        a job waited for another one of the same batch, its successor waits for that one's successor. ``check``: as in
        :meth:`Jobs.submit_many`.
        """
        act = partial(self._submit_again, submitter=submitter, check=check)
        outcome = await self._each(Action.RETRY, selection, viewer, act, dry_run, seconds)
        return await self._as_requests(outcome, submitter) if dry_run else outcome

    async def remove(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, by: str | None = None, dry_run: bool = False,
        seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Remove jobs, as :meth:`Removing.remove` does; a selection is made among ended jobs."""

        async def remove(one: Called) -> Result:
            return _done(one, freed_bytes=(await self._removing.remove(one.job_id, by=by)).freed_bytes)

        return await self._each(Action.REMOVE, selection, viewer, _alone(remove), dry_run, seconds)

    async def settle(
        self, selection: Selection, verdict: str, *, viewer: Viewer = EVERYTHING, by: str, dry_run: bool = False,
        seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Settle jobs, as :meth:`Jobs.settle` does; a selection is made among uncertain jobs."""

        async def settle(one: Called) -> Result:
            return _done(one, status=(await self._jobs.settle(one.job_id, verdict, by=by)).status.value)

        return await self._each(Action.SETTLE, selection, viewer, _alone(settle), dry_run, seconds)

    async def _each(
        self, action: Action, selection: Selection, viewer: Viewer, act: Act, dry_run: bool, seconds: float
    ) -> Outcome:
        """Select once, then act on one batch after the other."""
        found = await self._ledger.read(selections.choose, selection, action, viewer)
        chosen, left_out = found.jobs, found.left_out
        if dry_run:
            outlook = tuple(_outlook(one, action) for one in chosen)
            return Outcome(len(chosen), outlook, tuple(one.job_id for one in chosen), left_out)
        results: list[Result] = []
        end = trio.current_time() + seconds
        size = _SIZES.get(action, BATCH)
        while len(results) < len(chosen) and (not results or trio.current_time() < end):
            results += await act(chosen[len(results) : len(results) + size])
        return Outcome(len(chosen), tuple(results), tuple(one.job_id for one in chosen[len(results) :]), left_out)

    async def _as_requests(self, outlook: Outcome, submitter: Submitter) -> Outcome:
        """The ``outlook`` of a dry run, with a problem for each job whose request ``submitter`` may not make.

        An example is a command over the network.
        """
        results = []
        for first in range(0, len(outlook.results), _SIZES[Action.RETRY]):
            batch = outlook.results[first : first + _SIZES[Action.RETRY]]
            rows = await self._ledger.read(job_rows.get_many, [one.job_id for one in batch])
            results += [self._as_request(one, rows.get(one.job_id), submitter) for one in batch]
        return attrs.evolve(outlook, results=tuple(results))

    def _as_request(self, one: Result, job: Job | None, submitter: Submitter) -> Result:
        if one.problem is not None or job is None:
            return one
        try:
            self._jobs.again(job, submitter)
        except Refused as error:
            return attrs.evolve(one, problem=str(error))
        return one

    async def _in_one_transaction(
        self, batch: Sequence[Called], verb: Callable[[Transaction, Called], Result], *, by: str | None
    ) -> list[Result]:
        outcomes = await self._ledger.write_each([_bound(verb, one) for one in batch], by=by)
        return [_result(one, each.unwrap) for one, each in zip(batch, outcomes, strict=True)]

    async def _submit_again(self, batch: Sequence[Called], submitter: Submitter, check: bool) -> list[Result]:
        """Submit jobs together, so that one that waited for another waits for its successor.

        If one of them is refused, each is submitted by itself: one that waited for a job that failed is then refused
        too.
        """
        rows = await self._ledger.read(job_rows.get_many, [one.job_id for one in batch])
        results: dict[str, Result] = {}
        possible: list[Called] = []
        for one in batch:
            try:
                if one.job_id not in rows:
                    raise Refused(f"job {one.job_id} was removed", RefusalKind.NOT_FOUND)
                self._jobs.again(rows[one.job_id], submitter)
            except Refused as error:
                results[one.job_id] = _failed(one, error)
            else:
                possible.append(one)
        try:
            made = await self._jobs.retry_all([rows[one.job_id] for one in possible], submitter, check=check)
            results |= {one.job_id: _again(one, new) for one, new in zip(possible, made, strict=True)}
        except Refused:
            for one in possible:
                try:
                    (new,) = await self._jobs.retry_all([rows[one.job_id]], submitter, check=check)
                    results[one.job_id] = _again(one, new)
                except Refused as error:
                    results[one.job_id] = _failed(one, error)
        return [results[one.job_id] for one in batch]


def _bound(verb: Callable[[Transaction, Called], Result], one: Called) -> Callable[[Transaction], Result]:
    return lambda tx: verb(tx, one)


def _alone(act: Callable[[Called], Awaitable[Result]]) -> Act:
    """``act`` for batches of one; what refuses it is the problem of that job."""

    async def of_one(batch: Sequence[Called]) -> list[Result]:
        (one,) = batch
        try:
            return [await act(one)]
        except Refused as error:
            return [_failed(one, error)]

    return of_one


def _again(one: Called, accepted: Accepted) -> Result:
    return _done(one, new_job_id=accepted.job.job_id, warnings=accepted.warnings)


def _result(one: Called, of: Callable[[], Result]) -> Result:
    try:
        return of()
    except (Refused, DamagedRow) as error:
        return _failed(one, error)


def _unchanged(one: Called) -> Result:
    return Result(one.job_id, one.name, one.user_id, one.status)


def _outlook(one: Called, action: Action) -> Result:
    """The line of a dry run about one job. A job that was named may be in a status in which it cannot be changed."""
    if one.status in action.possible:
        return _unchanged(one)
    return attrs.evolve(_unchanged(one), problem=f"it is {one.status}, so it cannot be {action.done}")


def _done(one: Called, **more: Any) -> Result:
    return attrs.evolve(_unchanged(one), done=True, **more)


def _failed(one: Called, error: Exception) -> Result:
    return attrs.evolve(_unchanged(one), problem=str(error))
