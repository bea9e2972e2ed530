"""A notification as it is sent: as JSON, as a message for Slack, or as plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from actors.jobs.notify_options import Form

_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"
_LINES = 20
"""Notifications that the text of a digest lists."""

_SAYS = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "was cancelled",
    "approval_requested": "waits for an approval",
    "approval_decided": "had its approval decided",
    "uncertain": "is uncertain: settle it",
    "started": "is running",
    "rerun": "runs again",
}
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def rendered(body: Mapping[str, Any], form: Form) -> tuple[bytes, str]:
    """The bytes to send and their media type."""
    if form == "json":
        return _as_json(body), _JSON
    text = as_text(body)
    if form == "slack":
        return _as_json({"text": text.translate(_ESCAPED)}), _JSON
    return f"{text}\n".encode(errors="replace"), _TEXT


def _as_json(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a name that is not UTF-8
        return json.dumps(value).encode()


def as_text(body: Mapping[str, Any]) -> str:
    """A notification in words."""
    kind, data = str(body.get("type")), body.get("data", {})
    if kind == "group_ended":
        return f"Group {data.get('group')} of {data.get('user_id')} has ended: {_counts(data.get('counts', {}))}"
    if kind == "digest":
        return _digest(data)
    return _about_job(kind, data)


def _about_job(kind: str, data: Mapping[str, Any]) -> str:
    job_id = str(data.get("job_id"))
    name = data.get("name")
    who = f"{name} ({job_id[-6:]})" if name else f"Job {job_id}"
    group = f" in group {data['group']}" if data.get("group") else ""
    code = data.get("exit_code")
    status = f", exit status {code}" if kind == "failed" and isinstance(code, int) else ""
    reason = f": {data['reason']}" if data.get("reason") else ""
    return f"{who} of {data.get('user_id')}{group} {_SAYS.get(kind, kind)}{status}{reason}"


def _digest(data: Mapping[str, Any]) -> str:
    counts = data.get("counts", {})
    listed = data.get("notifications", [])[:_LINES]
    total = sum(counts.values())
    lines = [f"{total} notifications: {_counts(counts)}"]
    lines += [as_text({"type": one.get("type"), "data": one}) for one in listed]
    return "\n".join([*lines, f"and {total - len(listed)} more"] if total > len(listed) else lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items()) or "nothing"
