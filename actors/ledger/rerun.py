"""An attempt has certainly ended and its job runs again: it returns to the queue in the transaction that records
the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.lifecycle import Trigger
from actors.jobs.records import Job
from actors.jobs.reruns import RunAgain
from actors.ledger.base import UNFLAGGED, Pair, advance, close_submission
from actors.store import Transaction

OF_AN_ATTEMPT = (
    "started_at", "completed_at", "exit_code", "signal", "error_message", "cost_usd", "output_url", "progress",
    "result", "devices", "pace", "waiting_reason",
)  # fmt: skip
"""Columns of a job that describe its newest attempt: the next attempt begins without them."""

_KEPT = tuple(name for name in OF_AN_ATTEMPT if name not in ("progress", "result", "pace", "waiting_reason"))


def rerun(tx: Transaction, pair: Pair, key: str, changes: Mapping[str, Any], again: RunAgain) -> Pair:
    """Close the attempt of ``key``, about which ``changes`` were reported, and let the job wait for the next one.

    The next one gets a new submission key, so that no provider takes it for the one that ended.
    """
    ended = attrs.evolve(pair.job, **changes)
    close_submission(tx, key, again.reason, outcome=_outcome(ended, again))
    attempt, reruns = pair.entry.attempt + 1, pair.entry.reruns + 1
    entry = {
        "attempt": attempt,
        "run_first_attempt": attempt,
        "reruns": reruns,
        "not_before": again.not_before,
        "wait_seconds": again.wait if again.not_before is not None else None,
        "started_at": None,
        "error_message": again.reason,
    }
    data = {
        "attempt": attempt,
        "end": again.kind.value,
        "reason": again.reason,
        "rerun": reruns,
        "times": pair.job.request.rerun.times,
        "submission": key,
    }
    return advance(tx, pair, Trigger.RERUN, job={**dict.fromkeys(OF_AN_ATTEMPT), **UNFLAGGED}, entry=entry, data=data)


def _outcome(ended: Job, again: RunAgain) -> dict[str, Any]:
    """How an attempt ended that is not the job's last one, as it is kept with its submission."""
    return {
        "status": again.kind.value,
        **{name: _plain(value) for name in _KEPT if (value := getattr(ended, name)) is not None},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
