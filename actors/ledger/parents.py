"""The parents of a new job: the jobs that its request names, found among those that its submitter may see.

A name means the earlier jobs of the same submission first: one of that name, or all of a matrix of that name (as it is
written, ``t-{lr}``). Else it is an exact id, an exact name, or the beginning or end of an id, in this order, the user's
own jobs before others'. A group means all jobs of the user's group so far. Both are fixed here, once.

In a group, and among the parents of a job that is submitted again, the newest retry of a failed job stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.dependencies import BAD_ENDS, Parent, breaks, refusal_of
from actors.jobs.records import Job, JobRequest
from actors.jobs.refusal import Refused, invalid
from actors.jobs.start_times import AT_ONCE, Start, start_of
from actors.jobs.suggestions import suggestion
from actors.jobs.views import Viewer
from actors.ledger import naming
from actors.ledger.new_job import NewJob
from actors.store import dependencies, named, names


class Parents:
    """Looks parents up for the jobs of one submission, ``new``, each name once, and writes what it found."""

    def __init__(self, connection: Connection, new: Sequence[NewJob]) -> None:
        self._connection = connection
        self._new = new
        self._earlier: dict[str, list[Parent]] = {}
        self._earlier_of_group: dict[tuple[str, str], list[Parent]] = {}
        self._instead: dict[str, Parent] = {}
        self._found: dict[tuple[str, str, str | None], Sequence[Parent]] = {}
        self._groups: dict[tuple[str, str], Sequence[Parent]] = {}
        self._waiting: list[tuple[str, Sequence[Parent]]] = []
        self._number = 0

    def note(self, job: Job, written: str | None) -> None:
        """A job of this submission, made now or found under its key: later ones may name it."""
        request = job.request
        parent = Parent(job.job_id, request.config_name, job.status, job.completed_at)
        for name in {request.config_name, written} - {None}:
            self._earlier.setdefault(str(name), []).append(parent)
        if request.group is not None:
            self._earlier_of_group.setdefault((request.user_id, request.group), []).append(parent)
        if job.retry_of is not None:
            self._instead[job.retry_of] = parent

    def of(self, job_id: str, new: NewJob) -> Sequence[Parent]:
        """The parents of the job ``job_id``, made of ``new``. A retry keeps the parents of its job.

        Raises :class:`Refused` for an unknown or ambiguous name, and for a job that has failed, so that the new one
        would never start.
        """
        if not new.request.after:
            return ()
        if new.retry_of is not None:
            before = dependencies.parents_of(self._connection, new.retry_of, maxima.PARENTS)
            found = {one.job_id: one for one in self._with_retries(before, new.request.user_id)}
        else:
            found = {one.job_id: one for reference in new.request.after for one in self._named(reference, new)}
        parents = self._checked(list(found.values()), new.request.after_mode)
        self._waiting.append((job_id, parents))
        return parents

    def _with_retries(self, parents: Iterable[Parent], user_id: str) -> list[Parent]:
        """``parents``, with its newest retry in the place of each that failed and was submitted again since: in this
        submission, or before by its owner or by ``user_id``.
        """
        found = [self._instead.get(one.job_id, one) for one in parents]
        failed = [one.job_id for one in found if one.status in BAD_ENDS]
        newest = names.newest_retries(self._connection, failed, user_id)
        return [named.of_id(self._connection, newest[one.job_id]) if one.job_id in newest else one for one in found]

    def write(self) -> None:
        """Write whom each of the jobs waits for; their own rows are there."""
        dependencies.add(self._connection, self._waiting)

    def _checked(self, found: Sequence[Parent], mode: str) -> Sequence[Parent]:
        for parent in found:
            if breaks(parent.status, mode):
                raise Refused(f"after: {refusal_of(parent)}", field="after")
        if len(found) > maxima.PARENTS:
            raise invalid("after", f"must be at most {maxima.PARENTS} jobs, not {len(found)}")
        self._number += len(found)
        if self._number > maxima.BATCH_PARENTS:
            message = f"the jobs of one submission may wait for {maxima.BATCH_PARENTS} jobs in all; send fewer at once"
            raise invalid("after", message)
        return found

    def _named(self, reference: Any, new: NewJob) -> Sequence[Parent]:
        request, sees = new.request, new.sees
        if not isinstance(reference, str):
            return self._group(str(reference["group"]), request.user_id)
        if (earlier := self._earlier.get(reference)) is not None:
            return self._one_or_matrix(reference, earlier)
        viewer = Viewer(request.user_id, only_own=sees is not None)
        is_own = reference in (request.config_name, new.written_name)
        if is_own and not naming.of_name(self._connection, reference, viewer):
            raise invalid("after", f"{reference!r:.80} is this job itself, which cannot wait for its own end")
        key = (reference, request.user_id, sees)
        if key not in self._found:
            self._found[key] = (self._lookup(reference, viewer),)
        return self._found[key]

    def _one_or_matrix(self, reference: str, earlier: Sequence[Parent]) -> Sequence[Parent]:
        """Several earlier jobs are meant where a matrix made them, whose name no job has as it is written."""
        if len(earlier) > 1 and any(parent.name == reference for parent in earlier):
            called = f"{len(earlier)} jobs of this submission are called {reference!r:.80}"
            raise invalid("after", f"{called}; give them different names")
        return earlier

    def _group(self, group: str, user_id: str) -> Sequence[Parent]:
        earlier = self._earlier_of_group.get((user_id, group), [])
        stored = self._groups.get((user_id, group))
        if stored is None:
            stored = named.of_group(self._connection, user_id, group, maxima.PARENTS + 1)
            self._groups[user_id, group] = stored
        if not stored and not earlier:
            raise invalid("after", f"user {user_id} has no group {group!r:.80}")
        # A corrected line of a file has the name of the job that failed, and stands for it.
        corrected = {one.name for one in earlier if one.name is not None and one.status not in BAD_ENDS}
        known = self._with_retries(stored, user_id)
        return [*(one for one in known if one.status not in BAD_ENDS or one.name not in corrected), *earlier]

    def _lookup(self, reference: str, viewer: Viewer) -> Parent:
        try:
            meant = naming.find(self._connection, reference, viewer).job.job_id
        except Refused as error:
            raise invalid("after", self._later(reference) or str(error)) from None
        return named.of_id(self._connection, meant)

    def _later(self, reference: str) -> str | None:
        """What is wrong with a name that only a later job of the same submission has."""
        if any(reference in (one.request.config_name, one.written_name) for one in self._new):
            return f"{reference!r:.80} is a later job of this submission; put it before those that wait for it"
        if reference.startswith("group:"):
            return f"there is no job {reference!r:.80}; for the group {reference[6:]!r:.80} write {{group: NAME}}"
        near = suggestion(reference, list(self._earlier))
        return f"there is no job {reference!r:.80}{near}" if near else None


def start_of_request(request: JobRequest, now: datetime) -> Start:
    """When the job may start. Raises :class:`Refused` where that is no time, or more than a year away."""
    if request.start_after is None:
        return AT_ONCE
    try:
        return start_of(request.start_after, now)
    except ValueError as error:
        raise invalid("start_after", str(error)) from None
