"""The place of a reader in a job's output: in which attempt, and where in the output of that attempt."""

from __future__ import annotations

import re
from typing import Self

import attrs

from actors.control.context import Context
from actors.control.jobs import Jobs
from actors.jobs.ids import attempt_of
from actors.jobs.records import Submission, SubmissionState
from actors.jobs.refusal import RefusalKind, Refused, invalid
from actors.jobs.views import JobView
from actors.providers.log_notices import LogNotice, notice
from actors.store import submissions

_OF_LATER_ATTEMPT = re.compile(r"([1-9][0-9]{0,5}):(.*)", re.ASCII | re.DOTALL)
_MOST = 1_000
"""The most attempts of one job that are looked at, newest first."""


@attrs.define
class LogPlace:
    """A place in the output of one job, which moves from one attempt to the next.

    ``only``: the one attempt that is read. ``attempt``: the attempt in which reading continues; None: the newest that
    has output. ``cursor``: the provider's own; None: the beginning. ``submission``: that of the attempt; None: no
    provider has the job yet. ``is_read``: all output of this attempt was read.
    """

    only: int | None
    attempt: int | None
    cursor: str | None
    view: JobView | None = None
    submission: Submission | None = None
    is_read: bool = False
    _following: Submission | None = None

    @classmethod
    def of(cls, cursor: str | None, only: int | None) -> Self:
        """The place for a ``cursor`` made by :meth:`at`. Raises :class:`Refused` if it belongs to another attempt
        than ``only``.
        """
        if cursor is None:
            return cls(only, only, None)
        found = _OF_LATER_ATTEMPT.fullmatch(cursor)
        attempt, own = (int(found[1]), found[2]) if found else (1, cursor)
        if only not in (None, attempt):
            raise invalid("cursor", f"is one of attempt {attempt}, not of {only}")
        return cls(only, attempt, own or None)

    def at(self, cursor: str) -> str:
        """Note that the reading has come to ``cursor``, and return the cursor for readers.

        For a first attempt that is the provider's own cursor.
        """
        self.cursor = cursor or None
        assert self.submission is not None
        attempt = attempt_of(self.submission.key)
        return cursor if attempt == 1 else f"{attempt}:{cursor}"

    async def look(self, context: Context, jobs: Jobs, job_id: str) -> JobView:
        """Read the rows of the job; an attempt that has ended in them has written all of its output.

        Raises :class:`Refused` if there is no such attempt.
        """
        self.view = view = await jobs.get(job_id)
        newest = view.submission
        if newest is None or (self.submission is not None and newest.key == self.submission.key):
            self.submission = newest if self.submission is not None else None
        else:
            found = await context.ledger.read(submissions.newest_of, view.job.job_id, _MOST)
            self._choose([one for one in found if one.handle is not None])
        if self.submission is None and self.only is not None:
            self._check_there(view)
        return view

    def _choose(self, handed: list[Submission]) -> None:
        """Choose the attempt to read, and the one after it, among the attempts that a provider had, the newest last."""
        if self.submission is not None:
            self.attempt = attempt_of(self.submission.key)
        elif self.attempt is None and handed:
            self.attempt = attempt_of(handed[-1].key)
        rest = [one for one in handed if attempt_of(one.key) >= (self.attempt or 1)]
        if self.only is not None:
            rest = [one for one in rest if attempt_of(one.key) == self.only]
        if self.submission is None and rest and attempt_of(rest[0].key) != self.attempt:
            self.cursor = None
        self.submission = rest[0] if rest else None
        self._following = rest[1] if len(rest) > 1 else None

    def _check_there(self, view: JobView) -> None:
        newest = 0 if view.submission is None else attempt_of(view.submission.key)
        there = f"its newest is {newest}" if newest else "it was not handed over yet"
        message = f"job {view.job.job_id} has no output of an attempt {self.only}; {there}"
        raise Refused(message, RefusalKind.NOT_FOUND, "attempt")

    @property
    def is_over(self) -> bool:
        """Whether no more output will be written after this attempt's present output."""
        assert self.view is not None
        if self.only is not None and self.submission is not None:
            return self.submission.state is SubmissionState.CLOSED
        return self.view.job.is_terminal and self._following is None

    def go_on(self) -> LogNotice | None:
        """Move to the next attempt, if there is one, and return the notice that says so."""
        if self._following is None:
            return None
        ended, self.submission, self._following = self.submission, self._following, None
        self.cursor, self.is_read = None, False
        assert ended is not None
        how = f" ({ended.error})" if ended.error else ""
        return notice(f"attempt {attempt_of(ended.key)} ended{how}; attempt {attempt_of(self.submission.key)} follows")
