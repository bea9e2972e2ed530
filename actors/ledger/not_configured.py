"""Jobs at a provider that is not configured any more: it cannot be asked about them, so they are uncertain (B13).

A start marks them, and a start with the provider in the configuration again removes the marks: the jobs are then asked
about as before.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs
from sqlalchemy import Connection

from actors.ledger.base import UNFLAGGED, change, load_many
from actors.ledger.observe import flag_uncertain
from actors.store import Transaction, jobs, running, submissions


@attrs.frozen
class Marks:
    """What is to change at a start. ``missing``: providers that have jobs and are not configured; ``outdated``: jobs
    whose mark is to be removed.
    """

    missing: frozenset[str]
    outdated: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.outdated)


def marks_to_change(connection: Connection, configured: Collection[str]) -> Marks:
    """Return what does not fit the providers that are ``configured`` now."""
    marked = jobs.get_many(connection, jobs.uncertain(connection)).values()
    outdated = [job for job in marked if job.provider in configured and job.uncertain_reason == _reason(job.provider)]
    missing = running.numbers_at(connection).keys() - configured
    return Marks(frozenset(missing), tuple(job.job_id for job in outdated))


def change_marks(tx: Transaction, marks: Marks) -> None:
    """Mark the jobs of missing providers as uncertain, and remove the outdated marks."""
    for pair in load_many(tx, marks.outdated).values():
        change(tx, pair, job=UNFLAGGED)
    for provider in sorted(marks.missing):
        at_it = [job.job_id for _, job in submissions.open_at(tx.connection, provider)]
        for pair in load_many(tx, at_it).values():
            if pair.entry.restored is None:  # else it is to be looked up, or is uncertain for that
                flag_uncertain(tx, pair, _reason(provider))


def _reason(provider: str) -> str:
    return f"provider {provider} is not configured: put providers.{provider} back"
