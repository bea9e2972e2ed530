"""The result of a change of several jobs, and of the removal of one."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.common import from_fields
from actors.jobs import maxima
from actors.jobs.selections import Outcome, Result


class ResultDocument(TypedDict):
    """One job of a selection, its ``status`` afterwards, and whether it was ``done``; ``problem``: why not.

    ``new_job_id``: the job that a retry made, with ``warnings`` about it. ``freed_bytes``: by its removal, on disk;
    null: unknown.
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
    """The result for a selection of ``selected`` jobs: how many were changed (``done``), and how many could not be
    (``failed``).

    ``results``: at most 1,000, those that failed first. ``left``: ids of jobs that were not tried yet, in a dry run
    all; send them as ``jobs`` to continue. ``freed_bytes``: of all removed jobs, as far as it is known. ``left_out``:
    how many more jobs a retry would have selected if they had not been submitted again before.
    """

    selected: int
    done: int
    failed: int
    freed_bytes: int
    results: list[ResultDocument]
    left: list[str]
    left_out: int


def selection_document(outcome: Outcome) -> SelectionDocument:
    """The result for a selection."""
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
    """A removed job, and what that freed; ``freed_bytes`` is null if its provider does not say.

    ``left_at``: the provider that may still keep something of it, because it is no longer configured.
    """

    job_id: str
    name: str | None
    user_id: str
    freed_bytes: int | None
    events: int
    keys: int
    left_at: str | None
