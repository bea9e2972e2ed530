"""What a provider says of a job after its end: shown at the job, whose status stays as it is."""

from __future__ import annotations

import attrs

from actors.ledger.base import change, emit, load
from actors.store import Transaction, submissions

_LONGEST = 2_000


@attrs.frozen
class Remarking:
    """The closure that writes ``text`` beside whatever the job of submission ``key`` failed of."""

    key: str
    text: str
    cycle: str | None = None

    def __call__(self, tx: Transaction) -> None:
        found = submissions.by_keys(tx.connection, [self.key]).get(self.key)
        if found is None:  # it was removed meanwhile
            return
        pair = load(tx, found.job_id)
        before = pair.job.error_message
        if before is not None and self.text in before:
            return
        text = self.text if not before else f"{before}; {self.text}"
        after = change(tx, pair, job={"error_message": text[:_LONGEST]})
        emit(tx, after.job, "job_results_not_copied", cycle=self.cycle, reason=self.text[:_LONGEST])
