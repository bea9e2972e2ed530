"""What people do to several jobs at once: cancelling, retrying, prioritising, removing (E1)."""

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
"""Jobs of one transaction: some milliseconds for which other writers wait."""

_SIZES = {Action.REMOVE: 1, Action.RETRY: 1_000, Action.SETTLE: 1}
"""Jobs of one step: removals and verdicts wait for a provider; jobs that wait for each other are submitted together."""

Act = Callable[[Sequence[Called]], Awaitable[list[Result]]]


class Selections:
    """Changes of several jobs, each for itself: one that cannot be changed hinders no other.

    Each operation takes ``viewer``, among whose jobs is chosen; ``dry_run``: only say which they are; and ``seconds``,
    after which it stops with the batch that it is at and says in ``left`` which jobs it has not come to.
    """

    def __init__(self, context: Context, jobs: Jobs, removing: Removing) -> None:
        self._ledger = context.ledger
        self._jobs = jobs
        self._removing = removing

    async def cancel(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, by: str | None = None, level: str = "admin",
        dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """End them, as :meth:`Jobs.cancel` does; those that have not ended are chosen from."""

        def cancel(tx: Transaction, one: Called) -> Result:
            return _done(one, status=approvals.cancel(tx, one.job_id, by=by, level=level).status.value)

        act = partial(self._in_one_transaction, verb=cancel, by=by)
        return await self._each(Action.CANCEL, selection, viewer, act, dry_run, seconds)

    async def prioritise(
        self, selection: Selection, override: int | None, *, viewer: Viewer = EVERYTHING, by: str | None = None,
        dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Override their priority, as :meth:`Jobs.prioritise` does; those that wait are chosen from."""

        def prioritise(tx: Transaction, one: Called) -> Result:
            approvals.prioritise(tx, one.job_id, override, by=by)
            return _done(one)

        act = partial(self._in_one_transaction, verb=prioritise, by=by)
        return await self._each(Action.PRIORITISE, selection, viewer, act, dry_run, seconds)

    async def retry(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, submitter: Submitter = THE_PROGRAM,
        check: bool = True, dry_run: bool = False, seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Submit them again, as :meth:`Jobs.retry` does; those that failed or were cancelled are chosen from.

        A selection leaves out those that were submitted again before; a job that is named is submitted once more. Of
        those of one batch, one that waited for another then waits for its successor. ``check``: as in
        :meth:`Jobs.submit_many`.
        """
        act = partial(self._submit_again, submitter=submitter, check=check)
        outcome = await self._each(Action.RETRY, selection, viewer, act, dry_run, seconds)
        return await self._as_requests(outcome, submitter) if dry_run else outcome

    async def remove(
        self, selection: Selection, *, viewer: Viewer = EVERYTHING, by: str | None = None, dry_run: bool = False,
        seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Remove them, as :meth:`Removing.remove` does; those that have ended are chosen from."""

        async def remove(one: Called) -> Result:
            return _done(one, freed_bytes=(await self._removing.remove(one.job_id, by=by)).freed_bytes)

        return await self._each(Action.REMOVE, selection, viewer, _alone(remove), dry_run, seconds)

    async def settle(
        self, selection: Selection, verdict: str, *, viewer: Viewer = EVERYTHING, by: str, dry_run: bool = False,
        seconds: float = math.inf,
    ) -> Outcome:  # fmt: skip
        """Decide what became of them, as :meth:`Jobs.settle` does; those that are uncertain are chosen from."""

        async def settle(one: Called) -> Result:
            return _done(one, status=(await self._jobs.settle(one.job_id, verdict, by=by)).status.value)

        return await self._each(Action.SETTLE, selection, viewer, _alone(settle), dry_run, seconds)

    async def _each(
        self, action: Action, selection: Selection, viewer: Viewer, act: Act, dry_run: bool, seconds: float
    ) -> Outcome:
        """Choose once, then act on one batch after the other."""
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
        """``outlook`` of a dry run, with what ``submitter`` may not ask for: a command over the network, such as."""
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
        """Submit them together, so that one that waited for another waits for its successor.

        Where one of them is refused, each is submitted for itself: one that waited for another that ended badly is then
        refused, too.
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
    """What a dry run says about one job: one that was named may be in no status in which it can be done."""
    if one.status in action.possible:
        return _unchanged(one)
    return attrs.evolve(_unchanged(one), problem=f"it is {one.status}, so it cannot be {action.done}")


def _done(one: Called, **more: Any) -> Result:
    return attrs.evolve(_unchanged(one), done=True, **more)


def _failed(one: Called, error: Exception) -> Result:
    return attrs.evolve(_unchanged(one), problem=str(error))
