"""Everything about one job, in lines for people: the output of ``show``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import click

from actors.cli.address import program
from actors.cli.job_text import (
    attempt_lines,
    estimate_text,
    lasted,
    name_of,
    needs,
    notification_lines,
    reason_of,
    relative_lines,
    rerun_lines,
    standing,
    variables,
)
from actors.cli.tables import plain, short

_SHOWN_FIRST = (
    "job_id", "status", "queue_status", "config_name", "group", "user_id", "org_id", "team_id", "provider", "command",
    "entry_point", "params", "cwd", "environment", "resources", "devices", "output_directory", "max_runtime",
    "user_levels", "estimated_cost", "correlation_id", "reason", "setting",
)  # fmt: skip
_NOTHING: tuple[Any, ...] = (None, "", {}, [])
_HIDDEN = frozenset({
    "max_attempts", "reruns", "after_mode", "estimate_seconds", "estimated_start", "estimated_end",
})  # fmt: skip
"""Keys that have no line of their own: another line has their value, or only programs need them."""


def print_details(job: Any) -> None:
    """Print everything about a job, without empty values."""
    estimate = estimate_text(job)
    click.echo(f"{name_of(job)}: {standing(job)}" + (f", {estimate}" if estimate else ""))
    rest = [key for key in job if key not in _SHOWN_FIRST]
    for key in (*_SHOWN_FIRST, *rest):
        if key not in _HIDDEN:
            _print_lines(key, _lines(key, job))


def _lines(key: str, job: Any) -> list[str]:
    if key in _LINES:
        return _LINES[key](job)
    if job[key] in _NOTHING:
        return []
    return [_WORDS[key](job[key]) if key in _WORDS else _on_one_line(job[key])]


def _print_lines(key: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        click.echo(f"  {key + ':' if not number else '':22}{line}")


def _on_one_line(value: Any) -> str:
    if isinstance(value, list):
        return plain(" ".join(map(str, value)))
    if isinstance(value, dict):
        return ", ".join(f"{plain(key)} {_on_one_line(one)}" for key, one in value.items() if one not in _NOTHING)
    return plain(value)


def _measured(value: Any) -> str:
    """A progress or a result with its numbers in four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{plain(key)} {_measured(one)}" for key, one in value.items() if one not in _NOTHING)
    return _on_one_line(value)


def _when(text: str) -> str:
    """A time of a document by this computer's clock."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"


def _after_lines(job: Any) -> list[str]:
    mode = " (however they end)" if job["after_mode"] == "ended" else ""
    names = [f"group:{one['group']}" if isinstance(one, dict) else one for one in job["after"]]
    return [plain(", ".join(names)) + mode] if names else []


def _attempt(job: Any) -> list[str]:
    """The number of the newest attempt, counted like ``GREENROOM_ATTEMPT``, if it is not the first."""
    attempts = job["attempts"] or []
    return [str(attempts[-1]["attempt"])] if attempts and attempts[-1]["attempt"] > 1 else []


def _not_before(job: Any) -> list[str]:
    return [_when(job["not_before"])] if job["not_before"] and not job["completed_at"] else []


def _position(job: Any) -> list[str]:
    """The place in the queue as its table counts, where others come first."""
    return [str(job["position"] + 1)] if job["position"] else []


def _approval(job: Any) -> list[str]:
    if (asked := job["approval"]) is None:
        return []
    if asked["status"] == "pending":
        return [f"pending, {program()} approve {short(asked['approval_id'])}"]
    by = f" by {asked['decided_by']}" if asked["decided_by"] else ""
    why = f": {asked['decision_reason']}" if asked["decision_reason"] else ""
    return [plain(f"{asked['status']}{by}{why}")]


def _handle(job: Any) -> list[str]:
    """The provider's handle if the job is uncertain, since `settle` needs it; else the id that the provider shows."""
    handed = job["submission"]
    if handed is None or not handed["handle"]:
        return []
    if not job["uncertain"]:
        own = handed["handle"].get("id")
        return [] if own is None else [plain(f"id {own} at {job['provider']}")]
    import orjson

    return [plain(f"handle {orjson.dumps(handed['handle']).decode()}")]


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "environment": variables, "max_runtime": lasted, "resources": needs, "progress": _measured, "result": _measured,
    **dict.fromkeys(
        ("created_at", "queued_at", "start_after", "started_at", "completed_at", "cancel_requested_at"), _when
    ),
}  # fmt: skip
"""Keys whose value is shown in words."""
_LINES: Mapping[str, Callable[[Any], list[str]]] = {
    "reason": lambda job: [plain(reason_of(job))] if job["reason"] else [],
    "rerun": rerun_lines, "attempt": _attempt, "attempts": attempt_lines, "after": _after_lines,
    "waits_for": lambda job: relative_lines(job["waits_for"]),
    "dependants": lambda job: relative_lines(job["dependants"]),
    "notifications": lambda job: notification_lines(job["notifications"]),
    "not_before": _not_before, "position": _position, "approval": _approval, "submission": _handle,
}  # fmt: skip
"""Keys for which something else than their value is shown."""
