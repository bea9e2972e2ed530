"""Jobs in words for people: name, status, times, and why a job waits or failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from actors.cli.tables import plain, short
from actors.jobs.durations import seconds_between

Document = Mapping[str, Any]


def name_of(job: Document) -> str:
    """The name of a job, or the command that it runs."""
    named = job.get("config_name") or job.get("entry_point")
    if named is None and job.get("command"):
        named = " ".join(job["command"])
    return plain(named or short(job["job_id"]))


def instant(text: str | None) -> datetime | None:
    """A time of a document."""
    return None if text is None else datetime.fromisoformat(text)


def lasted(seconds: float) -> str:
    """A duration in words: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(text: str | None) -> str:
    """How long ago a time of a document was."""
    time = instant(text)
    return "" if time is None else f"{lasted(seconds_between(time, datetime.now(UTC)))} ago"


def duration(job: Document) -> str:
    """How long a job has run, or ran."""
    started = instant(job.get("started_at"))
    if started is None:
        return ""
    ended = instant(job.get("completed_at")) or datetime.now(UTC)
    return lasted(seconds_between(started, ended))


def standing(job: Document) -> str:
    """The status of a job in words: ``running, cancel requested 12 s ago``."""
    waits = job["status"] == "pending" and job["queue_status"] in ("blocked", "ready")
    words = [job["queue_status"] if waits else job["status"]]
    if job.get("uncertain"):
        words.append("uncertain")
    if job.get("cancel_requested_at") and not job.get("completed_at"):
        words.append(f"cancel requested {ago(job['cancel_requested_at'])}")
    return ", ".join(words)


def metrics(values: Mapping[str, Any] | None) -> str:
    """Accuracy and loss, of progress or result."""
    if not values:
        return ""
    found = [name for name in ("accuracy", "loss") if isinstance(values.get(name), int | float)]
    return "  ".join(f"{name} {values[name]:.4g}" for name in found)


def note(job: Document) -> str:
    """One line beside the status: why a job waits, its progress, why it failed, its result."""
    if job.get("reason"):
        return str(job["reason"])
    if job.get("uncertain"):
        return f"{job['uncertain']['reason']}; greenroom settle {short(job['job_id'])} ..."
    if job.get("error_message"):
        return str(job["error_message"])
    if job["status"] == "running" and job.get("progress"):
        done = job["progress"]
        steps = f"{done['step']}/{done['total']}  " if "step" in done and "total" in done else ""
        return steps + metrics(done)
    return metrics(job.get("result"))
