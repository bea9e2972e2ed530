"""What must hold at the moment of a request to a provider, or of its acceptance: checked on the provider's side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

from actors.jobs.events import EventType
from actors.jobs.records import Event
from actors.providers.scripted import Run
from actors.simulation.cancel_requests import CancelRequests
from actors.simulation.event_contents import EventContents
from actors.simulation.kept_waits import TOLERANCE, KeptWaits
from actors.simulation.refusals import Refusals
from actors.simulation.reruns import Attempts
from actors.simulation.rules import Rule
from actors.simulation.slots import Slots
from actors.simulation.suspects import Suspects
from actors.simulation.wide import WideJobs
from actors.simulation.world import EXPENSIVE, PROVIDERS, Limited, World, limit_of, limited

_START = "SELECT json_extract(request, '$.start_after') FROM jobs WHERE job_id = ?"

_SENT_WITH = "SELECT token FROM submissions WHERE key = ?"
_ATTEMPTS = "SELECT job_id, attempt, run_first_attempt FROM queue_entries"

_IN_HANDS = 300.0
"""Seconds that may lie between a claim and its submission: a lowered limit holds for claims after it."""


class Checker:
    """Keeps what the servers report to it. ``runs`` are all that were ever accepted, of every provider."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: list[tuple[str, Run]] = []
        self._of_job: dict[str, list[Run]] = {}
        self._active: list[tuple[str, Run]] = []
        self._tried: dict[str, float] = {}
        self._job_attempts = Attempts(world)
        self._begin()

    def _begin(self) -> None:
        """Know of no event."""
        world = self._world
        self.waits = KeptWaits(world, self._job_attempts)
        self.cancels = CancelRequests(world)
        self.slots = Slots(world)
        self.refusals = Refusals(world, self.slots.paused)
        self.suspects = Suspects(world)
        self._contents = EventContents(world)
        self._wide = WideJobs(world)
        self._starts: dict[str, float] = {}

    def restored(self) -> None:
        """The rows are older ones now: begin with what they say. What the servers have accepted stays.

        Limits count what is accepted from now on, because the rows may not know what runs now.
        """
        self._active = []
        self._begin()
        self.slots.read_rows()
        for job_id, attempt, first in self._world.database.look(_ATTEMPTS):
            self.waits.know(job_id, attempt, first)
            self.refusals.know(job_id, attempt)

    def runs_of(self, job_id: str) -> list[Run]:
        """Every run of this job, of all its attempts."""
        return self._of_job.get(job_id, [])

    # Requests.

    def carries(self, call: str, key: str, current: str | None, sent: str | None) -> None:
        """A request about one job carries that job's correlation ID."""
        look = self._world.database.look
        rows = look(
            "SELECT j.correlation_id FROM submissions s JOIN jobs j ON j.job_id = s.job_id WHERE s.key = ?", (key,)
        )
        if self._world.restored and call.endswith(".find"):  # it may have been written after the backup
            rows = look("SELECT correlation_id FROM jobs WHERE job_id = ?", (key.rpartition("-")[0],))
        self._world.require(rows, Rule.INTENT, f"{call} of {key}: no row has that key")
        for (correlation_id,) in rows:
            whole = current == correlation_id and sent in (None, correlation_id)
            self._world.require(whole, Rule.CORRELATION, f"{call} of {key} carries {current}, {sent}")

    def tries(self, provider: str, job_id: str) -> None:
        """A submission is tried: not before its time."""
        self._tried[job_id] = self._world.elapsed()
        self.waits.tries(job_id)
        self._is_late_enough(job_id)

    def _is_late_enough(self, job_id: str) -> None:
        """A job that is to start later is not tried before its time, by the clock that this is said by."""
        world, begins = self._world, self._starts.get(job_id)
        if begins is not None:
            text = f"{job_id} is tried at {world.elapsed()}, not {begins}"
            world.require(world.elapsed() >= begins - TOLERANCE, Rule.START_LATER, text)
        for (start,) in world.database.look(_START, (job_id,)):
            if start and not start.startswith("+") and not world.jumped_at:
                late = world.clock.now() >= datetime.fromisoformat(start)
                world.require(late, Rule.START_LATER, f"{job_id} is tried before {start}")

    def saw(self, event: Event) -> None:
        """An event was published."""
        self.waits.saw(event)
        self.cancels.saw(event)
        self.slots.saw(event)
        self.refusals.saw(event)
        self.suspects.saw(event)
        self._contents.saw(event)
        self._wide.saw(event)
        if event.type in (EventType.JOB_QUEUED, EventType.APPROVAL_REQUESTED):
            for (start,) in self._world.database.look(_START, (event.job_id,)):
                if start and start.startswith("+"):
                    self._starts[event.job_id or ""] = self._world.elapsed() + float(start)

    def process_ended(self) -> None:
        """Over a restart a wait ends by the wall clock, which may be early."""
        self.waits.process_ended()
        self.refusals.process_ended()
        self._starts.clear()

    def check(self, began: float, called: Collection[str]) -> None:
        """What must hold now and again; the process of now ``began`` in this second of the world.

        ``called``: providers whose circuit breaker lets all calls pass.
        """
        self.waits.check(began)
        now = self._world.true_now()
        self._active = [(name, run) for name, run in self._active if not run.timeline.ended(now)]
        self.cancels.check([(name, run) for name, run in self._active if name in called], began)

    # Acceptance.

    def accepted(self, provider: str, run: Run) -> None:
        """A server has just accepted ``run``."""
        world, job_id = self._world, run.context["job_id"]
        self.runs.append((provider, run))
        before = self._of_job.setdefault(job_id, [])
        before.append(run)
        if world.restored and world.database.look(_SENT_WITH, (run.key,)) != [(run.token,)]:
            return  # sent before the restore, and late
        world.trace.count(f"runs at {provider}")
        self._job_attempts.accepted(provider, job_id, before)
        self._row(job_id, run)
        self._parents(job_id)
        self.slots.accepted(provider, job_id, _IN_HANDS + world.elapsed() - self._tried[job_id])
        now = world.true_now()
        self._active = [(name, one) for name, one in self._active if not one.timeline.ended(now)]
        self._active.append((provider, run))
        late_by = world.elapsed() - self._tried[job_id]
        exceeded = list(self._exceeded(_IN_HANDS + late_by))
        world.require(not exceeded, Rule.LIMITS, f"{run.key}: {exceeded}")

    def _row(self, job_id: str, run: Run) -> None:
        rows = self._world.database.look(
            "SELECT s.state, s.token, q.status, j.correlation_id, json_extract(j.request, '$.requires_approval'),"
            " coalesce(json_extract(j.request, '$.estimated_cost'), 0), (SELECT group_concat(a.status) FROM approvals a"
            " WHERE a.job_id = j.job_id) FROM submissions s JOIN queue_entries q ON q.job_id = s.job_id"
            " JOIN jobs j ON j.job_id = s.job_id WHERE s.key = ?",
            (run.key,),
        )
        self._world.require(rows, Rule.INTENT, f"{run.key} is accepted and no row has that key")
        if not rows:
            return
        ((state, token, entry, correlation_id, asked_for, cost, approvals),) = rows
        sent = run.context.get("correlation_id")
        world = self._world
        world.require(state != "closed" and token == run.token, Rule.INTENT, f"{run.key}: {state}, {token}")
        world.require(entry == "running", Rule.SLOT, f"{run.key} is accepted, its entry is {entry}")
        world.require(sent == correlation_id, Rule.CORRELATION, f"{run.key} was sent {sent}, not {correlation_id}")
        needed = asked_for is not None or (cost > EXPENSIVE and world.dear_jobs_need_admins)
        granted = approvals == "approved" or (approvals is None and not needed)
        granted |= world.restored and len(self.runs_of(job_id)) > 1  # approved after the backup: it has run since
        world.require(granted, Rule.BEFORE_APPROVAL, f"{run.key}: its approval is {approvals}")

    def _parents(self, job_id: str) -> None:
        """All that it waits for has ended, and well where it waits for that: by its request, not by our rows of it."""
        found = self._world.database.look(
            "SELECT p.job_id, p.status, coalesce(json_extract(j.request, '$.after_mode'), 'ok') FROM jobs j,"
            " json_each(json_extract(j.request, '$.after')) named JOIN jobs p ON"
            " CASE named.type WHEN 'object' THEN p.group_name = json_extract(named.value, '$.group')"
            " AND p.user_id = j.user_id AND p.job_id < j.job_id ELSE p.config_name = named.value END"
            " WHERE j.job_id = ? AND j.retry_of IS NULL AND (p.retry_of IS NULL OR named.type = 'object')"
            " AND NOT EXISTS (SELECT 1 FROM jobs again WHERE named.type = 'object' AND again.retry_of = p.job_id"
            " AND again.user_id = p.user_id AND again.job_id < j.job_id)",
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
