"""Estimates of when jobs end and waiting ones start, from the rows of one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from actors.jobs.bounds import ProviderState
from actors.jobs.estimates import Span, estimated_end
from actors.jobs.forecast import Forecast, Occupied, end_by_median, forecasts, run_time_of
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Job, JobStatus
from actors.jobs.reservations import USUAL_POLICY, ReservePolicy
from actors.jobs.scheduling import Decision, Head, Lane, NextHead, Pick, Running, decide
from actors.ledger.limits import effective_limits
from actors.store import gates, lanes, running


def end_of(job: Job, now: datetime) -> Span | None:
    """The estimated end of a running job that reports its steps; None if there is no basis for it."""
    if job.status is not JobStatus.RUNNING or job.pace is None:
        return None
    return estimated_end(job.pace, job.progress, job.started_at, now, job.request.max_runtime, job.updated_at)


def of_waiting(
    connection: Connection,
    configured: Limits,
    capacities: Mapping[str, Capacity],
    now: datetime,
    until: str | None = None,
    policy: ReservePolicy = USUAL_POLICY,
) -> dict[str, Forecast]:
    """The estimated starts and ends of entries in line, by job id, as far as there is a basis for them.

    ``until``: only this job is asked about. ``policy``: for which jobs resources are kept; the simulation lends nothing
    of them, because it does not know when running jobs must have ended.
    """
    limits = effective_limits(connection, configured)
    closed = gates.closed(connection, capacities, now)
    providers = {name: ProviderState(capacity, closed[name]) for name, capacity in capacities.items()}
    known = RunTimes(connection)

    def decide_at(some: Sequence[Lane], holders: Sequence[Running], at: datetime, next_head: NextHead) -> Decision:
        return decide(some, holders, limits, providers, at, next_head, policy=policy)

    def next_head(lane: Lane) -> Head | None:
        return lanes.after(connection, lane.lane_id, lane.head) if lane.count > 1 else None

    def run_time(pick: Pick) -> float | None:
        name = running.name_of(connection, pick.head.job_id)
        return run_time_of(known.median(pick.lane.user_id, name), pick.head.max_runtime)

    occupied = _occupied(connection, known, now)
    return forecasts(lanes.read(connection), occupied, now, decide_at, next_head, run_time, until)


def _occupied(connection: Connection, known: RunTimes, now: datetime) -> list[Occupied]:
    found = []
    for one in running.running_jobs(connection):
        ends = estimated_end(one.pace, one.progress, one.started_at, now, one.max_runtime, one.updated_at)
        if ends is None:
            median = run_time_of(known.median(one.holds.user_id, one.config_name), one.max_runtime)
            ends = end_by_median(one.started_at, now, median)
        found.append(Occupied(one.holds, ends))
    return found


class RunTimes:
    """The median run times of users' jobs by their names, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._medians: dict[tuple[str, str], float | None] = {}

    def median(self, user_id: str, name: str | None) -> float | None:
        """In seconds; None where no such job has completed, or for a job without a name."""
        if name is None:
            return None
        if (user_id, name) not in self._medians:
            found = sorted(running.run_times(self._connection, user_id, name))
            half = len(found) // 2
            self._medians[user_id, name] = (found[half] + found[~half]) / 2 if found else None
        return self._medians[user_id, name]
