"""Who caused each change: the checker remembers what was asked for, and what really ran, and asks it of every event."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from actors.jobs.records import Event, Phase
from actors.providers.scripted import Run
from actors.simulation.checker import Checker
from actors.simulation.replay import JobAccount
from actors.simulation.rules import Rule
from actors.simulation.states import ENDED, By, Follows
from actors.simulation.world import EXPENSIVE, World

_LEVELS = ("viewer", "researcher", "lead", "admin")
"""Lowest first."""

_ENDINGS = {
    "completed": (Phase.SUCCEEDED,),
    "failed": (Phase.FAILED, Phase.TIMED_OUT, Phase.LOST),
    "cancelled": (Phase.CANCELED,),
}
_BAD_PARENT = (
    "SELECT 1 FROM dependencies d JOIN jobs p ON p.job_id = d.parent_id"
    " WHERE d.job_id = ? AND p.status IN ('failed', 'cancelled')"
)
_ROUNDED = 0.01
"""Seconds by which a time-out may end sooner."""
_KINDS = {"approval_granted": "approve", "approval_rejected": "reject"}


class Causes:
    """What clients asked for, and whether what the events tell follows from that, from time, or from what ran."""

    def __init__(self, world: World, checker: Checker) -> None:
        self._world = world
        self._checker = checker
        self._asked: set[tuple[str, str]] = set()
        self._levels: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._requested: dict[str, Event] = {}
        self._requested_at: dict[str, float] = {}  # simulated seconds since the beginning of the world
        self._asked_at: dict[str, float] = {}

    def asked(self, kind: str, subject: str, level: str = "admin") -> None:
        """A client is about to ask for something: ``kind`` of the job, or (``submit``) the marker, of ``subject``."""
        self._asked.add((kind, subject))
        self._asked_at[subject] = self._world.elapsed()
        self._levels[kind, subject].add(level)

    def runs_of(self, job_id: str) -> list[Run]:
        """What ran of it."""
        return self._checker.runs_of(job_id)

    def changed(self, event: Event, account: JobAccount, happened: Follows) -> None:
        """A job changed its states."""
        job_id = event.job_id or ""
        self._world.quiet.wrote(self._world.elapsed(), event.time)
        if event.type == "approval_requested":
            self._requested[job_id] = event
            self._requested_at[job_id] = self._world.elapsed()
        if event.type == "approval_expired":
            self._is_due(job_id, event.time)
        is_first = event.type in ("approval_requested", "job_queued")
        held = any(self._holds(by, event, is_first) for by in happened.by)
        text = f"{event.type} of {job_id} to {'/'.join(happened.state)} is not {' or '.join(happened.by)}"
        self._world.require(held, Rule.CAUSED, text)
        if event.type in _KINDS:
            self._has_level(event)
        if happened.state[1] in ENDED:
            now = self._world.true_now()
            going_on = [run.key for run in self._checker.runs_of(job_id) if not run.timeline.ended(now)]
            self._world.require(not going_on, Rule.NO_ORPHANS, f"{event.type} of {job_id}, {going_on} go on")

    def came_too_late(self, job_id: str, refusal: str) -> None:
        """A decision was refused because the request has expired: then its deadline has come.

        Not checked where the clock was moved since it was asked for: nobody knows by which time it was refused.
        """
        if self._world.jumped_at >= self._asked_at.get(job_id, 0.0) > 0.0:
            return
        for (status,) in self._world.database.look("SELECT status FROM approvals WHERE job_id = ?", (job_id,)):
            due = self._requested[job_id].time + self._timeout
            late = status == "expired" or self._world.clock.now() >= due
            self._world.require(late, Rule.DEADLINE, f"{refusal}, it is due {due}")

    def _is_due(self, job_id: str, time: datetime) -> None:
        """A request that expires soon after a leap, its event at ``time``, does so because its time has passed."""
        elapsed = self._world.elapsed()
        if elapsed - self._requested_at[job_id] > self._timeout.total_seconds() - _ROUNDED:
            return  # its time has passed, whatever the clock shows
        due = self._requested[job_id].time + self._timeout
        by_leap = self._world.quiet.forbids(elapsed, time, due)
        text = f"{job_id} expires by the word of a clock that leapt"
        self._world.require(not by_leap or self._world.restored, Rule.DEADLINE, text)

    @property
    def _timeout(self) -> timedelta:
        return timedelta(hours=self._world.settings.approvals.timeout_hours)

    def _holds(self, by: By, event: Event, is_first: bool) -> bool:
        job_id = event.job_id or ""
        match by:
            case By.CLIENT if is_first:
                query = "SELECT json_extract(request, '$.config_name') FROM jobs WHERE job_id = ?"
                return any(("submit", name) in self._asked for (name,) in self._world.database.look(query, (job_id,)))
            case By.CLIENT:
                return ("cancel", job_id) in self._asked
            case By.APPROVER:
                return (_KINDS[event.type], job_id) in self._asked
            case By.DEADLINE:
                waited = event.time - self._requested[job_id].time
                return waited >= self._timeout
            case By.PARENT:
                return bool(self._world.database.look(_BAD_PARENT, (job_id,)))
            case By.PROVIDER:
                return self._ran(event)
            case By.RESTORE:
                return self._world.restored
            case By.SCHEDULER | By.ANSWER:
                return True

    def _ran(self, event: Event) -> bool:
        """Whether a run of the job had done by now what the event tells."""
        now, status = self._world.true_now(), str(event.data.get("status"))
        lines = [run.timeline for run in self._checker.runs_of(event.job_id or "")]
        if status in _ENDINGS:
            return any(line.ended(now) and line.ending in _ENDINGS[status] for line in lines)
        if event.type == "job_rerun":
            return any(line.ended(now) for line in lines)
        if status == "running":
            return any(at is not None and at <= now for line in lines for at in (line.runs, line.stops))
        return bool(lines)

    def _has_level(self, event: Event) -> None:
        """Somebody who asked for the decision had the level that the request needs."""
        kind, job_id = _KINDS[event.type], event.job_id or ""
        query = "SELECT coalesce(json_extract(request, '$.estimated_cost'), 0) FROM jobs WHERE job_id = ?"
        for (cost,) in self._world.database.look(query, (job_id,)):
            needed = "admin" if self._world.dear_jobs_need_admins and cost > EXPENSIVE else "lead"
            levels = self._levels[kind, job_id]
            high = any(_LEVELS.index(level) >= _LEVELS.index(needed) for level in levels)
            text = f"{event.type} of {job_id} needs {needed}, it was asked for by {sorted(levels)}"
            self._world.require(high, Rule.LEVEL, text)
