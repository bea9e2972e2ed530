"""What became of several jobs, and of one that was removed."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.common import from_fields
from actors.jobs import maxima
from actors.jobs.selections import Outcome, Result


class ResultDocument(TypedDict):
    """One job of a selection, its ``status`` afterwards, and whether it was ``done``; ``problem``: why not.

    ``new_job_id``: of the job that a retry made, and ``warnings`` about it. ``freed_bytes``: on disk, by its removal;
    null: not known.
    """

    job_id: str
    name: str | None
    user_id: str
    status: str
    done: bool
    problem: str | None
    new_job_id: str | None
    warnings: list[str]
    freed_bytes: int | None


class SelectionDocument(TypedDict):
    """What became of a selection of ``selected`` jobs: with how many it was ``done``, and with how many it ``failed``.

    ``results``: at most 1,000, those that failed first. ``left``: ids that nothing was tried with, all of them in a dry
    run; send them as ``jobs`` to go on. ``freed_bytes``: of all that were removed, as far as it is known.
    ``left_out``: how many more a retry would have selected had they not been submitted again before.
    """

    selected: int
    done: int
    failed: int
    freed_bytes: int
    results: list[ResultDocument]
    left: list[str]
    left_out: int


def selection_document(outcome: Outcome) -> SelectionDocument:
    """What became of a selection."""
    failed = [one for one in outcome.results if one.problem is not None]
    others = [one for one in outcome.results if one.problem is None]
    return {
        "selected": outcome.selected,
        "done": sum(one.done for one in others),
        "failed": len(failed),
        "freed_bytes": sum(one.freed_bytes or 0 for one in others),
        "results": [_result(one) for one in [*failed, *others][: maxima.ROWS]],
        "left": list(outcome.left),
        "left_out": outcome.left_out,
    }


def _result(one: Result) -> ResultDocument:
    return from_fields(ResultDocument, one)


class RemovedDocument(TypedDict):
    """A job that was removed, and what that freed; ``freed_bytes`` is null where its provider does not say.

    ``left_at``: the provider that may still keep something of it, since it is not configured any more.
    """

    job_id: str
    name: str | None
    user_id: str
    freed_bytes: int | None
    events: int
    keys: int
    left_at: str | None
