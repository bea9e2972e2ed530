"""What must hold at the moment of a request to a provider, or of its acceptance: checked on the provider's side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import attrs

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.jobs.retry import ENTRY_DELAY, ENTRY_DELAY_CAP, LONGEST_RETRY_AFTER, PROVIDER_DELAY
from actors.providers.scripted import Run
from actors.simulation.reruns import Attempts
from actors.simulation.rules import Rule
from actors.simulation.wide import WideJobs
from actors.simulation.world import PROVIDERS, Limited, World, limit_of, limited

_TOLERANCE = 0.001
"""Seconds by which a time in rows, which is rounded, may be earlier than the world's."""

_START = "SELECT json_extract(request, '$.start_after') FROM jobs WHERE job_id = ?"

_IN_HANDS = 300.0
"""Seconds that may lie between a claim and its submission: a lowered limit holds for claims after it."""


@attrs.define
class _RetryAfter:
    """How long (s) a job is not to be tried: as a provider requested, or by a back-off.

    ``until``: in the world's seconds, which no clock that is put forward makes come sooner; once it is written down.
    """

    seconds: float
    until: float | None = None


class Checker:
    """Keeps what the servers report to it. ``runs`` are all that were ever accepted, of every provider."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: list[tuple[str, Run]] = []
        self._of_job: dict[str, list[Run]] = {}
        self._active: list[tuple[str, Run]] = []
        self._retry_after: dict[str, _RetryAfter] = {}
        self._attempts: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._tried: dict[str, float] = {}
        self._job_attempts = Attempts(world)
        self._wide = WideJobs(world)
        self._starts: dict[str, float] = {}

    def runs_of(self, job_id: str) -> list[Run]:
        """Every run of this job, of all its attempts."""
        return self._of_job.get(job_id, [])

    # Requests.

    def carries(self, call: str, key: str, current: str | None, sent: str | None) -> None:
        """A request about one job carries that job's correlation ID."""
        rows = self._world.database.look(
            "SELECT j.correlation_id FROM submissions s JOIN jobs j ON j.job_id = s.job_id WHERE s.key = ?", (key,)
        )
        self._world.require(rows, Rule.INTENT, f"{call} of {key}: no row has that key")
        for (correlation_id,) in rows:
            whole = current == correlation_id and sent in (None, correlation_id)
            self._world.require(whole, Rule.CORRELATION, f"{call} of {key} carries {current}, {sent}")

    def tries(self, provider: str, job_id: str) -> None:
        """A submission is tried: not before the time that the provider had requested."""
        self._tried[job_id] = self._world.elapsed()
        wait = self._retry_after.get(job_id)
        now = self._world.elapsed()
        self._is_late_enough(job_id)
        if wait is not None and wait.until is not None:
            text = f"{job_id} is tried at {now}, it was to wait until {wait.until}"
            self._world.require(now >= wait.until - _TOLERANCE, Rule.RETRY_AFTER, text)

    def _is_late_enough(self, job_id: str) -> None:
        """A job that is to start later is not tried before its time, by the clock that this is said by."""
        world, begins = self._world, self._starts.get(job_id)
        if begins is not None:
            text = f"{job_id} is tried at {world.elapsed()}, not {begins}"
            world.require(world.elapsed() >= begins - _TOLERANCE, Rule.START_LATER, text)
        for (start,) in world.database.look(_START, (job_id,)):
            if start and not start.startswith("+") and not world.jumped_at:
                late = world.clock.now() >= datetime.fromisoformat(start)
                world.require(late, Rule.START_LATER, f"{job_id} is tried before {start}")

    def asked_to_wait(self, job_id: str, seconds: float | None) -> None:
        """The provider requested a pause of ``seconds`` before this job is tried again."""
        if seconds is not None:
            self._retry_after[job_id] = _RetryAfter(min(max(seconds, PROVIDER_DELAY), LONGEST_RETRY_AFTER))

    def saw(self, event: Event) -> None:
        """An event was published: a wait begins to count when the job is back in the queue."""
        if event.type == EventType.PROVIDER_RESUMED:
            self._retry_after.clear()
        if event.type == EventType.JOB_REQUEUED:
            self._backs_off(event)
        if event.type == EventType.JOB_RERUN:
            self._runs_again(event)
        if event.type == EventType.JOB_DISPATCHED:
            self._wide.claimed(event)
        if event.type in (EventType.JOB_QUEUED, EventType.APPROVAL_REQUESTED):
            for (start,) in self._world.database.look(_START, (event.job_id,)):
                if start and start.startswith("+"):
                    self._starts[event.job_id or ""] = self._world.elapsed() + float(start)
        wait = self._retry_after.get(event.job_id or "")
        if wait is None:
            return
        if event.type == EventType.JOB_REQUEUED and wait.until is None:
            wait.until = self._world.elapsed() + wait.seconds
        elif event.type in (EventType.JOB_OUTCOME_UNKNOWN, EventType.JOB_HANDED_OVER):
            del self._retry_after[event.job_id or ""]

    def _backs_off(self, event: Event) -> None:
        """A failed attempt: the next one waits for half of a delay that doubles, at the least."""
        job_id, attempt = event.job_id or "", int(event.data.get("attempt", 0))
        before = self._attempts.get(job_id, 0)
        self._attempts[job_id] = attempt
        if attempt > before:
            failed = attempt - self._first.get(job_id, 0)  # in this run
            seconds = min(ENTRY_DELAY_CAP, ENTRY_DELAY * 2.0 ** (failed - 1)) / 2
            self._retry_after[job_id] = _RetryAfter(seconds, self._world.elapsed() + seconds)

    def _runs_again(self, event: Event) -> None:
        """The next attempt waits, and a new count of failed ones begins with it."""
        job_id, seconds = event.job_id or "", self._job_attempts.wait_of(event)
        self._first[job_id] = self._attempts[job_id] = int(event.data["attempt"])
        self._retry_after[job_id] = _RetryAfter(seconds, self._world.elapsed() + seconds)

    def process_ended(self) -> None:
        """Its waits are forgotten: over a restart a wait ends by the wall clock, which may be early."""
        self._retry_after.clear()
        self._starts.clear()

    # Acceptance.

    def accepted(self, provider: str, run: Run) -> None:
        """A server has just accepted ``run``."""
        world, job_id = self._world, run.context["job_id"]
        self.runs.append((provider, run))
        before = self._of_job.setdefault(job_id, [])
        before.append(run)
        world.trace.count(f"runs at {provider}")
        self._job_attempts.accepted(job_id, before)
        self._row(job_id, run)
        self._parents(job_id)
        now = world.true_now()
        self._active = [(name, one) for name, one in self._active if not one.timeline.ended(now)]
        self._active.append((provider, run))
        late_by = world.elapsed() - self._tried[job_id]
        exceeded = list(self._exceeded(_IN_HANDS + late_by))
        world.require(not exceeded, Rule.LIMITS, f"{run.key}: {exceeded}")

    def _row(self, job_id: str, run: Run) -> None:
        rows = self._world.database.look(
            "SELECT s.state, s.token, q.status, j.correlation_id, (SELECT group_concat(a.status) FROM approvals a"
            " WHERE a.job_id = j.job_id) FROM submissions s JOIN queue_entries q ON q.job_id = s.job_id"
            " JOIN jobs j ON j.job_id = s.job_id WHERE s.key = ?",
            (run.key,),
        )
        self._world.require(rows, Rule.INTENT, f"{run.key} is accepted and no row has that key")
        if not rows:
            return
        ((state, token, entry, correlation_id, approvals),) = rows
        sent = run.context.get("correlation_id")
        world = self._world
        world.require(state != "closed" and token == run.token, Rule.INTENT, f"{run.key}: {state}, {token}")
        world.require(entry == "running", Rule.SLOT, f"{run.key} is accepted, its entry is {entry}")
        world.require(sent == correlation_id, Rule.CORRELATION, f"{run.key} was sent {sent}, not {correlation_id}")
        granted = approvals in (None, "approved")
        world.require(granted, Rule.BEFORE_APPROVAL, f"{run.key}: its approval is {approvals}")

    def _parents(self, job_id: str) -> None:
        """All that it waits for has ended, and well where it waits for that: by its request, not by our rows of it."""
        found = self._world.database.look(
            "SELECT p.job_id, p.status, coalesce(json_extract(j.request, '$.after_mode'), 'ok') FROM jobs j,"
            " json_each(json_extract(j.request, '$.after')) named JOIN jobs p ON"
            " CASE named.type WHEN 'object' THEN p.group_name = json_extract(named.value, '$.group')"
            " AND p.user_id = j.user_id AND p.job_id < j.job_id ELSE p.config_name = named.value END"
            " WHERE j.job_id = ? AND j.retry_of IS NULL AND p.retry_of IS NULL"
            " AND NOT EXISTS (SELECT * FROM jobs again WHERE again.retry_of = p.job_id AND again.job_id < j.job_id)",
            (job_id,),
        )
        for parent, status, mode in found:
            good = status == "completed" or (mode == "ended" and status in ("failed", "cancelled"))
            self._world.require(good, Rule.PARENTS_FIRST, f"{job_id} runs, {parent} is {status}")

    def _exceeded(self, seconds: float) -> Iterator[str]:
        """Limits that what runs now exceeds, whichever of them held within the last ``seconds``."""
        held = self._world.widest(seconds)
        total = max(limits.total for limits in held)
        if len(self._active) > total:
            yield f"{len(self._active)} run, at most {total} may"
        taken = Counter(one for provider, run in self._active for one in _limited(provider, run))
        newest = self._active[-1]
        for one in _limited(*newest):
            most = max(limit_of(one, limits) for limits in held)
            if taken[one] > most:
                kind, name = one
                yield f"{taken[one]} run of {kind} {name}, at most {most} may ({newest[1].key} is the last)"
        for name, options in PROVIDERS.items():
            for resource in ("cpus", "gpus"):
                there = getattr(options, resource)
                taken = sum(getattr(run.asked.resources, resource) for at, run in self._active if at == name)
                if there is not None and taken > there:
                    yield f"{taken} {resource} are taken at {name}, it has {there}"


def _limited(provider: str, run: Run) -> list[Limited]:
    return limited(run.asked.user_id, run.asked.org_id, run.asked.team_id, provider)
