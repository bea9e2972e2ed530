"""What follows from a refused submission, by its kind (B12)."""

from __future__ import annotations

from collections.abc import Collection

from actors.jobs.records import Event
from actors.providers import errors
from actors.simulation.rules import Rule
from actors.simulation.states import CHANGES
from actors.simulation.world import World

_PAUSES = (errors.Auth, errors.Forbidden)
_COST_NOTHING = (*_PAUSES, errors.RateLimited, errors.Unavailable)


class Refusals:
    """Answers that a server gave and that the events have yet to tell of. ``paused``: providers that are now."""

    def __init__(self, world: World, paused: Collection[str]) -> None:
        self._world = world
        self._paused = paused
        self._last: dict[str, tuple[str, errors.ProviderError]] = {}
        self._attempts: dict[str, int] = {}

    def know(self, job_id: str, attempt: int) -> None:
        """The job has had so many attempts."""
        self._attempts[job_id] = attempt

    def refused(self, provider: str, job_id: str, refusal: errors.ProviderError) -> None:
        """A server refused a submission; nobody was in doubt about that."""
        if not isinstance(refusal, (errors.OutcomeUnknown, errors.Protocol)):
            self._last[job_id] = provider, refusal

    def process_ended(self) -> None:
        """What it had heard and not written down is lost: nobody knows what was answered."""
        self._last.clear()

    def saw(self, event: Event) -> None:
        """An event was published: the first change of a job that was refused is what follows from it."""
        job_id = event.job_id or ""
        if event.type == "job_outcome_unknown":
            self._last.pop(job_id, None)
        if event.type not in CHANGES:
            return
        provider, refusal = self._last.pop(job_id, ("", None))
        before = self._attempts.get(job_id, 0)
        if "attempt" in event.data and event.type != "job_dispatched":
            self._attempts[job_id] = int(event.data["attempt"])
        if refusal is None or event.data.get("status") == "cancelled":  # it was asked to end meanwhile
            return
        name = type(refusal).__name__
        after = str(event.data.get("status"))
        wanted = "failed" if isinstance(refusal, errors.Invalid) else "pending"
        fits = after == wanted or (after == "failed" and not isinstance(refusal, _COST_NOTHING))
        self._world.require(fits, Rule.AFTER_REFUSAL, f"{job_id} was refused ({name}) and is {after}")
        if after == "pending":
            spent = self._attempts[job_id] - before
            text = f"{job_id} was refused ({name}) and has spent {spent} attempts"
            self._world.require(spent == (not isinstance(refusal, _COST_NOTHING)), Rule.ATTEMPTS_SPENT, text)
        if isinstance(refusal, _PAUSES):
            text = f"{provider} refused {job_id} ({name}) and is not paused"
            self._world.require(provider in self._paused, Rule.PAUSED_BY_REFUSAL, text)
