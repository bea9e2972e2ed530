"""The queue in words for people: why nothing more starts, and how many entries there are of each status."""

from __future__ import annotations

from typing import Any

from actors.cli.tables import plain

_NOTHING_PENDING = "No pending jobs in queue"
"""The decision's summary where no entry may be looked at yet: those that wait for other jobs or a time are none."""
_ENDED = {"completed": ("has completed", "have completed"), "failed": ("has failed", "have failed"),
          "cancelled": ("was cancelled", "were cancelled")}  # fmt: skip
_FIRST = ("pending", "ready", "blocked")


def headline(queue: Any) -> str:
    """Why nothing more starts now, in one sentence that holds for all rows of the queue's document."""
    if queue["summary"] != _NOTHING_PENDING:
        return plain(queue["summary"])
    pending, blocked = (queue["counts"].get(status, 0) for status in ("pending", "blocked"))
    waits = []
    if pending:
        waits.append(f"{_jobs_wait(pending)} for other jobs or for {'its' if pending == 1 else 'their'} time")
    if blocked:
        waits.append(f"{_jobs_wait(blocked)} for an approval")
    return ", ".join(waits) or _NOTHING_PENDING


def _jobs_wait(number: int) -> str:
    return "1 job waits" if number == 1 else f"{number} jobs wait"


def counts_text(counts: dict[str, int]) -> str:
    """How many entries there are of each status: ``2 pending, 37 have completed``; "" where there are none."""
    ordered = sorted(counts.items(), key=lambda one: (one[0] in _ENDED, one[0] not in _FIRST))
    return ", ".join(f"{number} {_status(status, number)}" for status, number in ordered)


def _status(status: str, number: int) -> str:
    return _ENDED[status][number != 1] if status in _ENDED else status
