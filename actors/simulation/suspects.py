"""A submission that may have killed a process is made alone (B13), by what the rows of a dead process show.

Jobs whose hand-over had no answer when a process died are suspects, until one of their hand-overs has an answer: while
one is under way, and it is not known for longer than a while, no other job is claimed; and none of them beside another.
"""

from __future__ import annotations

from datetime import timedelta

from actors.jobs.records import Event
from actors.simulation.rules import Rule
from actors.simulation.world import World
from actors.store.types import instant

_LEFT = "SELECT job_id FROM submissions WHERE state = 'intent' AND error IS NULL"
_UNDER_WAY = "SELECT job_id, intent_at FROM submissions WHERE state = 'intent' AND job_id != ?"
_A_WHILE = timedelta(seconds=29)
_ORPHANED = ("the process ended before the answer came", "the supervisor was stopped before the answer came")

_ANSWERS = ("job_outcome_unknown", "job_requeued", "job_status_changed", "job_rerun")


class Suspects:
    """The suspects of ``world``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._suspects: set[str] = set()
        self._claimed: set[str] = set()

    def process_ended(self) -> None:
        """Who was being handed over? Before the next process begins."""
        self._suspects |= {job_id for (job_id,) in self._world.database.look(_LEFT)}
        self._claimed.clear()

    def saw(self, event: Event) -> None:
        """An event was published."""
        job_id = event.job_id or ""
        if event.type == "job_dispatched":
            self._is_alone(event)
            self._claimed.add(job_id)
        elif event.type in ("job_handed_over", "job_settled", "job_restored"):
            self._suspects.discard(job_id)
        elif event.type == "job_outcome_unknown" and event.data.get("error_message") in _ORPHANED:
            return
        elif event.type in _ANSWERS and job_id in self._claimed:  # it was handed over again
            self._suspects.discard(job_id)

    def _is_alone(self, event: Event) -> None:
        job_id = event.job_id or ""
        others = self._world.database.look(_UNDER_WAY, (job_id,))
        young = {other for other, at in others if event.time - instant(at) < _A_WHILE}
        beside = young & self._suspects if job_id not in self._suspects else {other for other, _ in others}
        if self._suspects:
            text = f"{job_id} is claimed beside {sorted(beside)}, suspects are {sorted(self._suspects)}"
            self._world.require(not beside, Rule.ALONE, text)
