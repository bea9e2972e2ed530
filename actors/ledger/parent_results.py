"""What a job gets to know of those that it waited for: how each ended, and its result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.dependencies import Parent
from actors.jobs.records import Job, Submission
from actors.store import dependencies, jobs, submissions

MOST_RESULTS = 16 << 20
"""Bytes of results in all: the result of each parent may have 1 MiB, and a job may wait for ten thousand."""

_AT_ONCE = 100


def parent_results(connection: Connection, job_id: str) -> str | None:
    """The jobs that this one waited for, as a JSON array; None: it waited for none.

    ``result`` is null, and ``result_left_out`` true, from the parent on with which the results would be more than
    :data:`MOST_RESULTS`.
    """
    parents = dependencies.parents_of(connection, job_id, maxima.PARENTS)
    if not parents:
        return None
    written: list[bytes] = []
    left = MOST_RESULTS
    for parent, job, submission in _with_rows(connection, parents):
        result = b"null" if job is None or job.result is None else orjson.dumps(job.result)
        left -= len(result)
        document = _document(parent, job, submission)
        if left < 0:
            document["result_left_out"], result = True, b"null"
        written.append(orjson.dumps(document)[:-1] + b',"result":' + result + b"}")
    return f"[{b','.join(written).decode()}]"


def _with_rows(
    connection: Connection, parents: Sequence[Parent]
) -> Iterator[tuple[Parent, Job | None, Submission | None]]:
    for start in range(0, len(parents), _AT_ONCE):
        some = parents[start : start + _AT_ONCE]
        ids = [parent.job_id for parent in some]
        of_ids, handed = jobs.get_many(connection, ids), submissions.of_jobs(connection, ids)
        for parent in some:
            yield parent, of_ids.get(parent.job_id), handed.get(parent.job_id)


def _document(parent: Parent, job: Job | None, submission: Submission | None) -> dict[str, Any]:
    return {
        "job_id": parent.job_id,
        "name": parent.name,
        "status": parent.status.value,
        "output_dir": None if job is None else _output_dir(job, submission),
    }


def _output_dir(job: Job, submission: Submission | None) -> str | None:
    """Where its output lies on this machine; None: it does not.

    A provider that runs jobs here names their directory in its handle, also where nothing was left in it.
    """
    address = urlsplit(job.output_url or "")
    if address.scheme == "file" and address.netloc == "":
        return unquote(address.path)
    directory = (submission.handle or {}).get("directory") if submission is not None else None
    return str(PurePath(directory) / "output") if isinstance(directory, str) else None
