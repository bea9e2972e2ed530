"""Texts about the queue for people: why no more jobs start, how many run, and how many entries have each status."""

from __future__ import annotations

from typing import Any

from actors.cli.tables import plain

_NOTHING_PENDING = "No pending jobs in queue"
"""The decision's summary where every entry waits for other jobs, a time or an approval."""
_ALL_BLOCKED = "All pending jobs blocked by "
"""How the decision's summary begins where limits stop all entries that wait for nothing else."""
_MOST_AT_PROVIDERS = 100
"""The server lists at most this many jobs that wait at their providers."""
_ENDED = {"completed": ("has completed", "have completed"), "failed": ("has failed", "have failed"),
          "cancelled": ("was cancelled", "were cancelled")}  # fmt: skip
_FIRST = ("pending", "ready", "blocked")


def headline(queue: Any) -> str:
    """Why no more jobs start now, in one sentence that is true for all rows of the queue's document."""
    summary = plain(queue["summary"])
    if summary.startswith(_ALL_BLOCKED):
        return f"{_those_stopped(queue)} {summary.removeprefix('All pending jobs ')}"
    if summary != _NOTHING_PENDING:
        return summary
    pending, blocked = (queue["counts"].get(status, 0) for status in ("pending", "blocked"))
    waits = []
    if pending:
        waits.append(f"{_jobs_wait(pending)} for other jobs or for {'its' if pending == 1 else 'their'} time")
    if blocked:
        waits.append(f"{_jobs_wait(blocked)} for an approval")
    return ", ".join(waits) or _NOTHING_PENDING


def _those_stopped(queue: Any) -> str:
    """The jobs that limits stop: all that are pending, or those that wait neither for other jobs nor for a time."""
    stopped = sum(row["position"] is not None and row["not_before"] is None for row in queue["waiting"])
    all_of_them = stopped == queue["counts"].get("pending", 0)
    return "All pending jobs are" if all_of_them else "All pending jobs that wait for nothing else are"


def running_text(queue: Any) -> str:
    """How many jobs run, and how many wait at their providers: ``Running 3, waiting at their providers 2``."""
    text = ", ".join(f"{status} {number}" for status, number in _at_providers(queue, queue["running"]).items())
    return text[0].upper() + text[1:]


def _at_providers(queue: Any, submitted: int) -> dict[str, int]:
    """The jobs that their providers have, ``submitted`` in all, by what they do there."""
    waiting = len(queue["at_providers"])
    if waiting >= _MOST_AT_PROVIDERS:
        return {"running or waiting at their providers": submitted}
    waits = {"waiting at their providers": waiting} if waiting else {}
    return {"running": max(submitted - waiting, 0), **waits}


def _jobs_wait(number: int) -> str:
    return "1 job waits" if number == 1 else f"{number} jobs wait"


def all_counts_text(queue: Any) -> str:
    """How many entries there are of each status, those at their providers among them; "" where there are none."""
    counts = dict(queue["counts"])
    submitted = counts.pop("running", 0)
    return counts_text({**counts, **(_at_providers(queue, submitted) if submitted else {})})


def counts_text(counts: dict[str, int]) -> str:
    """How many entries there are of each status: ``2 pending, 37 have completed``; "" where there are none."""
    ordered = sorted(counts.items(), key=lambda one: (one[0] in _ENDED, one[0] not in _FIRST))
    return ", ".join(f"{number} {_status(status, number)}" for status, number in ordered)


def _status(status: str, number: int) -> str:
    return _ENDED[status][number != 1] if status in _ENDED else status
