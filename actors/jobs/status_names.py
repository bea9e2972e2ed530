"""What providers call a job's states, in the one vocabulary of :class:`Phase` (B5)."""

from __future__ import annotations

from actors.jobs.records import Phase

_SPELLINGS: dict[Phase, tuple[str, ...]] = {
    Phase.QUEUED: ("queued", "pending", "in queue"),
    Phase.STARTING: ("starting",),
    Phase.RUNNING: ("running", "processing", "in progress"),
    Phase.STOPPING: ("stopping", "cancelling", "canceling"),
    Phase.SUCCEEDED: ("succeeded", "completed"),
    Phase.FAILED: ("failed", "error"),
    Phase.CANCELED: ("canceled", "cancelled", "aborted", "stopped"),
    Phase.TIMED_OUT: ("timed out",),
    Phase.LOST: ("lost",),
}

_PHASES = {spelling: phase for phase, spellings in _SPELLINGS.items() for spelling in spellings}


def phase_of(raw_status: str) -> Phase:
    """The phase that a provider's own word means; ``Phase.UNKNOWN`` for a word not in the table, never a guess.

    Case does not matter, nor does space around the word; ``_`` and ``-`` between words count as a space.
    """
    return _PHASES.get(" ".join(raw_status.casefold().replace("_", " ").replace("-", " ").split()), Phase.UNKNOWN)
