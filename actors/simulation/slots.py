"""Limits and pauses at every claim: counted by the events alone, in the order in which they were committed.

A job holds its slot from its claim until it is back in the queue or has ended, whatever is known of it meanwhile: also
where nobody can tell whether its provider has it (B13).
"""

from __future__ import annotations

from collections import Counter

from actors.jobs.records import Event
from actors.simulation.replay import JobAccount
from actors.simulation.rules import Rule
from actors.simulation.world import PROVIDERS, Limited, World, limit_of, limited

_EVERYTHING = "*"
_COLUMNS = "user_id, org_id, team_id, provider, cpus, gpus"
_WHOSE = f"SELECT {_COLUMNS} FROM queue_entries WHERE job_id = ?"  # noqa: S608 - constants
_RUNNING = f"SELECT job_id, {_COLUMNS} FROM queue_entries WHERE status = 'running'"  # noqa: S608 - constants
_OPEN_WHILE_WAITING = (
    "SELECT s.key FROM submissions s JOIN queue_entries q ON q.job_id = s.job_id"
    " WHERE s.job_id = ? AND s.state != 'closed' AND q.status IN ('pending', 'blocked')"
)
_DOUBTFUL = "SELECT 1 FROM queue_entries WHERE job_id = ? AND restored != 'look_up'"


class Slots:
    """Who holds a slot now, and what is paused now."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, tuple[list[Limited], str, int, int]] = {}
        self._doubtful: set[str] = set()
        self.paused: dict[str, float] = {}

    def read_rows(self) -> None:
        """Begin with what the rows say."""
        look = self._world.database.look
        for job_id, user, org, team, provider, cpus, gpus in look(_RUNNING):
            self._held[job_id] = limited(user, org, team, provider), provider, cpus, gpus
        # For those that were in doubt already, no event says whether the look-up left them in doubt.
        self._doubtful |= {job_id for (job_id,) in look("SELECT job_id FROM jobs WHERE uncertain_since IS NOT NULL")}
        for (where,) in look("SELECT provider FROM provider_gates WHERE paused_reason IS NOT NULL"):
            self.paused[where] = self._world.elapsed()
        if self._world.restored:  # until a person has looked at the jobs
            self.paused[_EVERYTHING] = self._world.elapsed()

    def saw(self, event: Event) -> None:
        """Something was paused or resumed; or a restore made a job uncertain, which holds no slot as long as it is."""
        if event.type == "job_uncertain" and self._is_doubtful(event.job_id or ""):
            self._doubtful.add(event.job_id or "")
        elif event.type == "job_settled":
            self._doubtful.discard(event.job_id or "")
        where = str(event.data.get("provider", _EVERYTHING))
        if event.type in ("queue_paused", "provider_paused"):
            self.paused.setdefault(where, self._world.elapsed())
        elif event.type in ("queue_resumed", "provider_resumed"):
            self.paused.pop(where, None)

    def changed(self, event: Event, account: JobAccount) -> None:
        """A job changed its states."""
        job_id = event.job_id or ""
        self._doubtful.discard(job_id)
        if event.type in ("job_dispatched", "job_restored"):
            for user, org, team, provider, cpus, gpus in self._world.database.look(_WHOSE, (job_id,)):
                self._held[job_id] = limited(user, org, team, provider), provider, cpus, gpus
            if event.type == "job_dispatched":
                self._claimed(job_id)
        elif account.state[1] != "running":
            self._held.pop(job_id, None)
            left = self._world.database.look(_OPEN_WHILE_WAITING, (job_id,))
            self._world.require(not left, Rule.SLOT, f"{job_id} waits again, and {left} is not closed")

    def _claimed(self, job_id: str) -> None:
        world, limits = self._world, self._world.limits[-1][1]
        own, provider, *needs = self._held[job_id]
        paused = [where for where in (provider, _EVERYTHING) if where in self.paused]
        world.require(not paused, Rule.PAUSED, f"{job_id} is claimed, {paused} is paused")
        holding = {one: held for one, held in self._held.items() if not self._is_doubtful(one)}
        number = len(holding)
        world.require(number <= limits.total, Rule.CLAIMS, f"{number} hold slots, at most {limits.total} may")
        taken = Counter(one for owner, *_ in holding.values() for one in owner)
        for one in own:
            most, kind = limit_of(one, limits), " ".join(one)
            text = f"{taken[one]} of {kind} hold slots, at most {most} may ({job_id} is the last)"
            world.require(taken[one] <= most, Rule.CLAIMS, text)
        there_now = [(cpus, gpus) for _, where, cpus, gpus in holding.values() if where == provider]
        for column, name in enumerate(("cpus", "gpus")):
            there = getattr(PROVIDERS[provider], name)
            used = sum(held[column] for held in there_now)
            if there is not None and needs[column]:
                world.require(used <= there, Rule.CLAIMS, f"{used} {name} are taken at {provider}, it has {there}")

    def _is_doubtful(self, job_id: str) -> bool:
        """By the events; or by its row, if it was uncertain before the backup, so that no event says it again."""
        return self._world.restored and (
            job_id in self._doubtful or bool(self._world.database.look(_DOUBTFUL, (job_id,)))
        )

    def accepted(self, provider: str, job_id: str, in_hands: float) -> None:
        """A server accepted a job: what is paused got nothing, but for what was in hands when that began."""
        since = min((self.paused[one] for one in (provider, _EVERYTHING) if one in self.paused), default=None)
        if since is not None:
            now = self._world.elapsed()
            text = f"{provider} accepts {job_id} at {now}, it is paused since {since}"
            self._world.require(now - since <= in_hands, Rule.PAUSED, text)
