"""Jobs that were cancelled because another one failed, and further ones because of those: what is submitted anew
with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.dependencies import Parent, breaks
from actors.jobs.records import Job
from actors.jobs.refusal import Refused
from actors.store import dependencies, jobs


def cancelled_because_of(connection: Connection, job: Job, user_id: str | None) -> list[Job]:
    """The jobs that may start once ``job`` is submitted anew, each after those that it waited for.

    Jobs that also wait for another failed job are left out, and those that wait for them. ``user_id``: only this user's
    jobs. Raises :class:`Refused` if there are more than one request may have.
    """
    found: dict[str, Job] = {}
    parents: dict[str, list[Parent]] = {job.job_id: []}
    level = [job.job_id]
    while level:
        ids = [one for parent in level for one in dependencies.broken_by(connection, parent, maxima.BATCH_JOBS)]
        of_ids = jobs.get_many(connection, [one for one in dict.fromkeys(ids) if one not in parents])
        allowed = {one: each for one, each in of_ids.items() if user_id in (None, each.request.user_id)}
        for one in allowed:
            parents[one] = dependencies.parents_of(connection, one, maxima.PARENTS)
        found |= allowed
        if len(found) >= maxima.BATCH_JOBS:
            raise Refused(f"more than {maxima.BATCH_JOBS} jobs were cancelled because of {job.job_id}; retry it alone")
        level = list(allowed)
    return [found[one] for one in _in_order(found, parents)]


def _in_order(found: Mapping[str, Job], parents: Mapping[str, list[Parent]]) -> list[str]:
    """Each after its parents, without those that a bad end outside still keeps from starting."""
    graph = {one: {parent.job_id for parent in parents[one]} & parents.keys() for one in found}
    possible = parents.keys() - found.keys()
    ordered = []
    for one in TopologicalSorter(graph).static_order():
        mode = found[one].request.after_mode if one in found else "ended"
        if one in found and all(each.job_id in possible or not breaks(each.status, mode) for each in parents[one]):
            possible |= {one}
            ordered.append(one)
    return ordered
