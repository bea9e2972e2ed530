"""A cancel that was asked for reaches the provider, and again until the job ends, over restarts too (B14)."""

from __future__ import annotations

from actors.jobs.records import Event, Phase
from actors.providers.base import View
from actors.providers.scripted import Run
from actors.simulation.rules import Rule
from actors.simulation.world import World

PATIENCE = 300.0
"""Seconds without a request for which there may be a reason: a breaker that is open, an actor that hangs."""

_GOES_ON = (Phase.QUEUED, Phase.RUNNING, Phase.STOPPING)
_HANDED = (
    "SELECT 1 FROM submissions s JOIN jobs j ON j.job_id = s.job_id"
    " WHERE s.key = ? AND s.state = 'handed' AND j.uncertain_since IS NULL"
)


class CancelRequests:
    """What was asked to end and is seen to run on, and when its provider was last asked to end it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        self._since: dict[str, float] = {}
        self._shown: dict[str, float] = {}

    def saw(self, event: Event) -> None:
        """An event was published."""
        if event.type == "job_cancel_requested":
            self._asked[event.job_id or ""] = self._world.elapsed()

    def sent(self, key: str) -> None:
        """A request to end the job of ``key`` is on its way to its provider."""
        self._sent[key] = self._world.elapsed()
        self._shown.pop(key, None)
        self._world.trace.count("cancel sent")

    def shown(self, view: View) -> None:
        """A provider's answer shows that these jobs go on: a request that it took is repeated only then."""
        for key, one in view.observations.items():
            if one.phase in _GOES_ON:
                self._shown.setdefault(key, self._world.elapsed())

    def check(self, runs: list[tuple[str, Run]], began: float) -> None:
        """Of these runs, those that were to be asked again; the process of now ``began`` in this second."""
        world, now = self._world, self._world.elapsed()
        if "poller" in world.may_hang:  # it has no deadline, and a restart by hand may come before it hangs
            self._since = {}
            return
        before, self._since = self._since, {}
        late = []
        for provider, run in runs:
            asked = self._asked.get(run.context["job_id"])
            if asked is None or not world.database.look(_HANDED, (run.key,)):
                continue
            self._since[run.key] = before.get(run.key, now)
            sent = self._sent.get(run.key, 0.0)
            if sent > began and run.key not in self._shown:
                continue
            waited = now - max(asked, began, sent, self._shown.get(run.key, 0.0), self._since[run.key])
            if waited > PATIENCE:
                late.append(f"{provider} was not asked to end {run.key} for {waited:.0f} s")
        if self._since:
            world.require(not late, Rule.CANCELS, str(late))
