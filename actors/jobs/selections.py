"""Several jobs at once: which are selected, and which actions are possible for which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import attrs

from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.statuses import ACTIVE_JOBS, TERMINAL_JOBS, JobStatus

MOST = 20_000
"""Jobs of one selection: as many as one user may have waiting."""


class Action(StrEnum):
    """What can be done to several jobs."""

    CANCEL = "cancel"
    RETRY = "retry"
    PRIORITISE = "prioritise"
    REMOVE = "remove"
    SETTLE = "settle"

    @property
    def statuses(self) -> frozenset[JobStatus]:
        """The statuses of the jobs among which a selection is made."""
        return _AMONG[self]

    @property
    def possible(self) -> frozenset[JobStatus]:
        """The statuses in which it can be done to a job that is named."""
        return TERMINAL_JOBS if self is Action.RETRY else self.statuses

    @property
    def done(self) -> str:
        """The word for a job to which this was done."""
        return _DONE[self]


_AMONG: Mapping[Action, frozenset[JobStatus]] = {
    Action.CANCEL: ACTIVE_JOBS,
    Action.RETRY: frozenset({JobStatus.FAILED, JobStatus.CANCELLED}),
    Action.PRIORITISE: frozenset({JobStatus.PENDING}),
    Action.REMOVE: TERMINAL_JOBS,
    Action.SETTLE: ACTIVE_JOBS,
}
_DONE = {
    Action.CANCEL: "cancelled",
    Action.RETRY: "submitted again",
    Action.PRIORITISE: "prioritised",
    Action.REMOVE: "removed",
    Action.SETTLE: "settled",
}


@attrs.frozen
class Selection:
    """Which jobs are meant: each of ``jobs`` (an id, a part of one, or a name), or all that fit every filter given.

    ``name`` is a pattern (:mod:`actors.jobs.globs`).
    """

    jobs: tuple[str, ...] = ()
    name: str | None = None
    group: str | None = None
    statuses: tuple[JobStatus, ...] = ()
    user_id: str | None = None

    @property
    def has_filters(self) -> bool:
        """Whether jobs are chosen by what they are rather than named."""
        return bool(self.statuses) or any(one is not None for one in (self.name, self.group, self.user_id))

    def check(self) -> None:
        """Raises :class:`Refused` if nothing is selected, if both ways are used, or for too many jobs."""
        if self.jobs and self.has_filters:
            raise Refused(
                "give jobs, or a selection of them (name, group, status, user), not both", RefusalKind.INVALID
            )
        if not self.jobs and not self.has_filters:
            raise Refused("say which jobs: their ids or names, or a selection of them", RefusalKind.INVALID)
        if len(self.jobs) > MOST:
            raise Refused(f"jobs: at most {MOST} at once, not {len(self.jobs)}", RefusalKind.INVALID, "jobs")

    def in_words(self) -> str:
        """The filters, as one would type them."""
        given = {"--name": self.name, "--group": self.group, "--user": self.user_id}
        words = [f"{option} {value!r:.80}" for option, value in given.items() if value is not None]
        return " ".join([*words, *(f"--status {one.value}" for one in self.statuses)])


@attrs.frozen
class Result:
    """The result for one job of a selection. ``status``: that of the job afterwards, if it still exists.

    ``problem``: why nothing was done. ``new_job_id``: the job that a retry made, with ``warnings`` about it.
    ``freed_bytes``: on disk; None: unknown.
    """

    job_id: str
    name: str | None
    user_id: str
    status: str
    done: bool = False
    problem: str | None = None
    new_job_id: str | None = None
    warnings: tuple[str, ...] = ()
    freed_bytes: int | None = None


@attrs.frozen
class Outcome:
    """The result for a selection of ``selected`` jobs; ``left``: the ids of those that were not tried.

    In a dry run ``left`` has all of them, and ``results`` the state of each: ``problem`` if it cannot be done now.
    ``left_out``: jobs that a retry did not select, because they were submitted again before.
    """

    selected: int
    results: tuple[Result, ...]
    left: tuple[str, ...]
    left_out: int
