"""The idempotency keys of one batch: which are bound to a job already, and which will be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.codec import fingerprint
from actors.jobs.file_rules import FileRules
from actors.jobs.records import Job, JobRequest, JobStatus
from actors.jobs.refusal import Refused
from actors.store import Transaction, dependencies, holds, idempotency, names

KEY_LIFETIME = timedelta(hours=24)
_DIGITS = 32
"""Digits of a job file's digest in the keys of version 0.1.0, which end with the index of the job in the file."""


class Keys:
    """The keys of ``requests``. ``file``: they were made from a job file, and so are not compared by content."""

    def __init__(self, tx: Transaction, requests: Sequence[JobRequest], file: FileRules | None) -> None:
        self._tx = tx
        self._file = file
        pairs = [pair for request in requests if (pair := _pair(request))]
        # While the clock may be wrong no key is forgotten (C6).
        since = None if not pairs or holds.current(tx.connection) else tx.now - KEY_LIFETIME
        self._known = idempotency.used(tx.connection, pairs, since)
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._repeated: set[str] = set()
        if file is not None and file.digest and len(self._known) < len(pairs):
            self._recognise(requests, file.digest[:_DIGITS])
        if file is not None and self._known:
            self._follow_retries(requests)

    def _recognise(self, requests: Sequence[JobRequest], digest: str) -> None:
        """Bind the new keys to the jobs that version 0.1.0 had bound to the old keys of the same file."""
        earlier: dict[str, dict[str, str]] = {}
        for index, request in enumerate(requests):
            user = request.user_id
            if user not in earlier:
                earlier[user] = idempotency.beginning_with(self._tx.connection, user, f"{digest}-")
            job_id = earlier[user].get(f"{digest}-{index}")
            if job_id is not None and (pair := _pair(request)) is not None and pair not in self._known:
                self.bind(request, job_id)

    def _follow_retries(self, requests: Sequence[JobRequest]) -> None:
        """Bind the keys of jobs that their owners submitted again to the newest of their retries."""
        newest = names.newest_retries(self._tx.connection, {job_id for job_id, _ in self._known.values()})
        for request in requests if newest else ():
            pair = _pair(request)
            if pair is not None and pair in self._known and (job_id := newest.get(self._known[pair][0])) is not None:
                self.bind(request, job_id)

    def job_of(self, request: JobRequest) -> str | None:
        """The job to which the key of ``request`` is bound. Raises :class:`Refused` if that job had another content."""
        pair = _pair(request)
        if pair is None or pair not in self._known:
            return None
        job_id, before = self._known[pair]
        if self._file is None and before != fingerprint(request):
            raise Refused(
                f"idempotency key {pair[1]!r} of user {pair[0]} was used for job {job_id} with another content; "
                "use another key",
                field="idempotency_key",
            )
        return job_id

    def repeats(self, job: Job) -> bool:
        """Whether ``job``, which exists already, is submitted anew, because its file asks for it.

        Together with failed jobs, those that were cancelled because of them are repeated; they come after them, or the
        failed ones were submitted again before.
        """
        file = self._file
        found = file is not None and (file.repeats(job) or (file.again == "failed" and self._was_broken(job)))
        if found:
            self._repeated.add(job.job_id)
        return found

    def _was_broken(self, job: Job) -> bool:
        if job.status is not JobStatus.CANCELLED or not job.request.after:
            return False
        parents = dependencies.parents_of(self._tx.connection, job.job_id, maxima.PARENTS)
        broke = [parent.job_id for parent in parents if parent.broke]
        left = set(broke) - self._repeated
        return bool(broke) and left <= names.newest_retries(self._tx.connection, left).keys()

    def bind(self, request: JobRequest, job_id: str) -> None:
        """Bind the key of ``request``, if it has one, to this job."""
        pair = _pair(request)
        if pair is None:
            return
        print_ = fingerprint(request)
        self._known[pair] = (job_id, print_)
        self._rows[pair] = {
            "user_id": pair[0],
            "key": pair[1],
            "job_id": job_id,
            "fingerprint": print_,
            "created_at": self._tx.now,
            "kept_with_job": self._file is not None,
        }

    def write(self) -> None:
        """Write what was bound."""
        idempotency.reserve(self._tx.connection, list(self._rows.values()))


def known_keys(connection: Connection, requests: Sequence[JobRequest]) -> set[tuple[str, str | None]]:
    """The pairs of user and idempotency key of ``requests`` under which there is a job already."""
    pairs = [key for request in requests if (key := _pair(request))]
    return set(idempotency.used(connection, pairs, None)) if pairs else set()


def _pair(request: JobRequest) -> tuple[str, str] | None:
    return None if request.idempotency_key is None else (request.user_id, request.idempotency_key)
