"""Relative waits, kept in the world's time: none ends early, and none lasts longer than it may (B12).

A process that goes on knows how much time has passed, whatever is done to the wall clock: a wait ends at most its own
length after it began, and not before it is over. Over a restart only the wall clock tells: a wait may end early then,
and lasts at most its own length from the start on.
"""

from __future__ import annotations

import attrs

from actors.jobs.records import Event
from actors.simulation.reruns import Attempts
from actors.simulation.rules import Rule
from actors.simulation.world import World

TOLERANCE = 0.001
"""Seconds by which a time in rows, which is rounded, may be earlier than the world's."""

SLACK = 180.0
"""Seconds after its end in which a wait must have been ended, in spite of faults: the clock is read every 30 s."""

_BACK_OFF, _BACK_OFF_CAP = 10.0, 600.0
"""Seconds of the first wait after a failed attempt, and of the longest; the half of each is left to chance."""

_A_DAY = 86_400.0
_PROVIDER = "SELECT provider FROM jobs WHERE job_id = ?"
_ATTEMPTS = "SELECT job_id, attempt, run_first_attempt FROM queue_entries WHERE job_id = ?"
_HELD = "SELECT 1 FROM queue_entries WHERE job_id = ? AND status = 'pending' AND not_before IS NOT NULL"


@attrs.define
class _Wait:
    """How long (s) a job is not to be tried, at the least and at the most.

    ``began``: in the world's seconds; None until the job is back in the queue.
    """

    rule: Rule
    least: float
    most: float
    began: float | None = None
    in_this_process: bool = True


class KeptWaits:
    """What each job is to wait for now, by what the servers answered and what the events tell."""

    def __init__(self, world: World, attempts: Attempts) -> None:
        self._world = world
        self._job_attempts = attempts
        self._waits: dict[str, _Wait] = {}
        self._attempts: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._hung_until = 0.0

    def know(self, job_id: str, attempt: int, first: int) -> None:
        """The job has had so many attempts, the first so many of them before its present run."""
        self._attempts[job_id], self._first[job_id] = attempt, first

    def asked_to_wait(self, job_id: str, seconds: float | None) -> None:
        """A server refused a submission of this job for now, and asked for so many seconds of patience."""
        if seconds is not None:
            seconds = min(seconds, _A_DAY)
            self._waits[job_id] = _Wait(Rule.RETRY_AFTER, seconds, max(seconds, 1.0))

    def tries(self, job_id: str) -> None:
        """A submission is on its way."""
        wait, now = self._waits.get(job_id), self._world.elapsed()
        if wait is not None and wait.began is not None:
            if wait.in_this_process:
                until = wait.began + wait.least
                text = f"{job_id} is tried at {now}, it was to wait until {until}"
                self._world.require(now >= until - TOLERANCE, wait.rule, text)
            del self._waits[job_id]  # it is over: what follows from this try is another one

    def saw(self, event: Event) -> None:
        """An event was published: a wait begins to count when the job is back in the queue."""
        job_id, now = event.job_id or "", self._world.elapsed()
        match event.type:
            case "provider_resumed":
                self._release(str(event.data["provider"]))
            case "job_requeued":
                before = self._waits.get(job_id)
                if before is not None and before.began is not None:
                    del self._waits[job_id]  # over: it was claimed meanwhile, and its provider was not called
                self._backs_off(event)
                wait = self._waits.get(job_id)
                if wait is not None and wait.began is None:
                    wait.began = now
            case "job_restored":
                for _, attempt, first in self._world.database.look(_ATTEMPTS, (job_id,)):
                    self.know(job_id, attempt, first)
            case "job_rerun" if "rerun" in event.data:  # else a restore found that it ran again
                seconds = self._job_attempts.wait_of(event)
                self._first[job_id] = self._attempts[job_id] = int(event.data["attempt"])
                self._waits[job_id] = _Wait(Rule.RERUN_DELAY, seconds, seconds, now)
            case "job_outcome_unknown" | "job_handed_over":
                self._waits.pop(job_id, None)

    def _release(self, provider: str) -> None:
        """Somebody opened this provider again; what waits for others goes on waiting."""
        for job_id in list(self._waits):
            if self._world.database.look(_PROVIDER, (job_id,)) == [(provider,)]:
                del self._waits[job_id]

    def _backs_off(self, event: Event) -> None:
        """A failed attempt: the next one waits for half of a delay that doubles, at the least."""
        job_id, attempt = event.job_id or "", int(event.data.get("attempt", 0))
        before = self._attempts.get(job_id, 0)
        self._attempts[job_id] = attempt
        if attempt > before:
            failed = attempt - self._first.get(job_id, 0)  # in this run
            seconds = min(_BACK_OFF_CAP, _BACK_OFF * 2.0 ** (failed - 1))
            self._waits[job_id] = _Wait(Rule.BACK_OFF, seconds / 2, seconds, self._world.elapsed())

    def process_ended(self) -> None:
        """From now on a wait may end early, and its own length counts from the next start."""
        for wait in self._waits.values():
            wait.in_this_process = False

    def check(self, began: float) -> None:
        """Those that have lasted too long; the process of now ``began`` in this second of the world.

        A scheduler that hangs ends none; from then on it has as long as otherwise.
        """
        now, late = self._world.elapsed(), []
        if "scheduler" in self._world.may_hang:
            self._hung_until = now
        for job_id, wait in self._waits.items():
            if wait.began is not None:
                since = wait.began if wait.in_this_process else began
                if now > max(since + wait.most, self._hung_until) + SLACK and self._world.database.look(
                    _HELD, (job_id,)
                ):
                    late.append(f"{job_id} has waited since {since} for {wait.most} s")
        self._world.require(not late, Rule.WAITS_END, str(late))
