"""The result of a change of several jobs."""

from __future__ import annotations

from typing import TypedDict

from actors.jobs import maxima
from actors.jobs.selections import Outcome, Result


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
    results: list[Result]
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
        "results": [*failed, *others][: maxima.ROWS],
        "left": list(outcome.left),
        "left_out": outcome.left_out,
    }
