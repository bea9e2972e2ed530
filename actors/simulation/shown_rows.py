"""A job as its rows have it, for the comparison with what is shown."""

from __future__ import annotations

import attrs


@attrs.frozen
class Row:
    """A job as its rows have it; the moments are microseconds."""

    job_id: str
    status: str
    entry: str
    user_id: str
    org_id: str
    provider: str
    name: str | None
    group: str | None
    retry_of: str | None
    error: str | None
    can_be_settled: bool
    is_not_due: bool
    started_at: int | None
    completed_at: int | None
    waits_there: bool
    holds_slot: bool

    def holds(self, text: str) -> bool:
        """Whether a search for ``text`` finds it: its id, user, name and error are looked through."""
        return any(text in (one or "").lower() for one in (self.job_id, self.user_id, self.name, self.error))


JOBS = (
    "SELECT j.job_id, j.status, q.status, j.user_id, q.org_id, j.provider, j.config_name, j.group_name, j.retry_of,"
    " j.error_message, j.uncertain_since IS NOT NULL OR q.restored = 'look_up',"
    " q.status = 'pending' AND (q.unfinished_parents OR q.start_after IS NOT NULL), j.started_at, j.completed_at,"
    " j.waiting_reason IS NOT NULL,"
    " q.status = 'running' AND coalesce(q.restored, 'look_up') = 'look_up'"
    " FROM jobs j JOIN queue_entries q ON q.job_id = j.job_id ORDER BY j.job_id DESC"
)
