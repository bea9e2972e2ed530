"""What a job that is submitted again has instead of what the first one had.

Changes are a merge patch (RFC 7396) over the request: what is not named stays, null takes a value away. So options of a
provider that are not shown, because they look like secrets, stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from actors.job_requests.job_request import request_from_mapping
from actors.jobs.records import JobRequest
from actors.jobs.refusal import invalid
from logconf.masking import MASK

CHANGEABLE = (
    "config_name", "group", "priority_override", "resources", "max_runtime", "params", "spec", "idempotency_key",
)  # fmt: skip
_BY_KEY = ("params", "spec", "resources")


def changed(before: JobRequest, changes: Mapping[str, Any]) -> JobRequest:
    """``before`` with ``changes``; ``params``, ``spec`` and ``resources`` are changed key by key.

    Raises :class:`~actors.jobs.refusal.Refused` for a field that cannot be changed and for a value that only stands for
    one that is not shown, :class:`~actors.validation.CheckedError` for values of other types.
    """
    for name, value in changes.items():
        if name not in CHANGEABLE:
            raise invalid(f"changes.{name}", f"cannot be changed; what can is {', '.join(CHANGEABLE)}")
        if (path := _not_shown(name, value)) is not None:
            raise invalid(path, f"{MASK} stands for a value that is not shown; leave it out to keep that")
    merged = {
        name: merge_patch(_plain(getattr(before, name)), value) if name in _BY_KEY and value is not None else value
        for name, value in changes.items()
    }
    given = request_from_mapping({name: value for name, value in merged.items() if value is not None})
    return attrs.evolve(before, **{name: getattr(given, name) for name in changes})


def _plain(value: Any) -> Any:
    return attrs.asdict(value) if attrs.has(type(value)) else value


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` as ``patch`` changes it, by RFC 7396."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merge_patch(found.get(name), value)
    return found


def _not_shown(path: str, value: Any) -> str | None:
    """Where in ``value``, which is at ``path``, a mask stands in place of a value; None: nowhere."""
    if isinstance(value, str):
        return path if value == MASK else None
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return next((found for name, one in items if (found := _not_shown(f"{path}.{name}", one)) is not None), None)
