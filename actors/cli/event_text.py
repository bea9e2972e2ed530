"""Events in words for people, and the stream of events as documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from actors.cli.output import Document, instant, metrics, plain, short

_SENTENCES = {
    "job_queued": "is queued",
    "job_dispatched": "is being handed over",
    "job_handed_over": "was handed over",
    "job_requeued": "goes back into the queue",
    "job_cancel_requested": "is asked to end",
    "job_outcome_unknown": "may or may not have been accepted: its provider is asked",
    "job_uncertain": "is uncertain",
    "job_settled": "was settled by hand",
    "job_results_not_copied": "left results that were not copied",
    "approval_granted": "is approved",
    "approval_rejected": "is rejected",
    "approval_expired": "was not approved in time and is cancelled",
}


def told(event: Document, name: str | None = None) -> str:
    """One event as a line: time, whom it is about, what happened. ``name`` is what people call its job."""
    time = instant(event.get("time"))
    clock = "" if time is None else f"{time.astimezone():%H:%M:%S}  "
    about = name or (f"job {short(event['job_id'])}" if event.get("job_id") else "")
    return plain(f"{clock}{about + ' ' if about else ''}{_happened(event)}")


def _happened(event: Document) -> str:
    kind: str = event["type"]
    if kind == "job_status_changed":
        where = " at its provider" if event.get("status") == "queued" else ""
        return f"is {event.get('status')}{where}{_because(event.get('error_message'))}"
    if kind == "job_progress":
        return f"progress {_steps(event.get('progress') or {})}"
    if kind == "approval_requested":
        return f"waits for an approval{_because(event.get('reason'))}; greenroom approve {short(event['approval_id'])}"
    if kind == "limits_changed":
        return (
            f"limits: {event.get('limit')} is now {event.get('value')}" if event.get("limit") else "limits were reset"
        )
    if kind.startswith("provider_"):
        return f"provider {event.get('provider')} is {kind[9:]}{_because(event.get('reason'))}"
    by = f" by {event['by']}" if event.get("by") else ""
    return (
        _SENTENCES.get(kind, kind.replace("_", " ")) + by + _because(event.get("reason") or event.get("error_message"))
    )


def _because(why: Any) -> str:
    return f": {why}" if why else ""


def _steps(progress: dict[str, Any]) -> str:
    steps = f"{progress['step']}/{progress['total']}  " if "step" in progress and "total" in progress else ""
    return steps + metrics(progress)


def parsed(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a ``text/event-stream`` as (name, document); an unnamed one is a ``message``."""
    name, data = "message", ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line:
            if data:
                yield name, orjson.loads(data)
            name, data = "message", ""
