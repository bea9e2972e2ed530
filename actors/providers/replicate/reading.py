"""Reads Replicate's objects. Only ``id`` and ``status`` must be there; everything else may be missing, null or odd.

Create, get and list show one job in different shapes, with times up to 0.2 s apart that have 0 to 9 digits of a second.
Addresses inside an object (``urls``, ``next``) are never requested, because the token would be sent there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from actors.jobs.polling import phase_of
from actors.jobs.records import Observation, Phase
from actors.providers.base import Handle
from actors.providers.errors import Protocol
from actors.providers.json_reading import amount, is_shallow
from actors.providers.last_words import LOOKED_AT, last_words, plain_text
from actors.providers.replicate.preparing import PREDICTION, TRAINING

RETENTION = timedelta(hours=1)
"""How long input, output and logs of a job stay after its end (https://replicate.com/docs/topics/predictions/data-retention)."""

SKEW = timedelta(minutes=1)
"""By how much the clocks of Replicate's own machines may differ, and a clock that was right from theirs."""

ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT})

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339
_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f]{1,8000}")  # longer, or with blanks: a text that begins like one
_LONGEST_ERROR = 4_000
_LARGEST_RESULT = 64 * 1024
_DEADLINE_SLACK = timedelta(seconds=2)


def remote_id(value: object) -> str:
    """``value`` if it can be the name of a job. Raises :class:`Protocol`."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise Protocol(f"{value!r:.80} is not an id of a job")


def handle_of(kind: str, body: Mapping[str, Any]) -> Handle:
    """Return what is stored about a job: only values that do not change at Replicate.

    A handle that was given by hand or by a delivery has only its ``id``: each training can be asked for as a
    prediction, too.
    """
    return {"kind": kind, "id": remote_id(body.get("id"))}


def kind_and_id(handle: Handle) -> tuple[str, str]:
    """Prediction or training, and the job's id. Raises :class:`Protocol` where that is none.

    A handle that was given by hand or by a delivery has only its ``id``: each training can be asked for as a
    prediction, too.
    """
    return TRAINING if handle.get("kind") == TRAINING else PREDICTION, remote_id(handle.get("id"))


def moment(value: object) -> datetime | None:
    """Return a time in UTC, or None for any other value."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    text = f"{day}T{clock}.{(fraction or '0'):0<6.6}{'+00:00' if zone in 'Zz' else zone}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def ends_before(jobs: Iterable[Mapping[str, Any]], since: datetime | None) -> bool:
    """Return whether a page, newest first, reaches back to a time before ``since``."""
    times = [created for body in jobs if (created := moment(body.get("created_at"))) is not None]
    return since is not None and bool(times) and times[-1] < since


def observation_of(body: Mapping[str, Any], now: datetime, usd_per_second: float | None) -> Observation:
    """The observation in ``body``. Raises :class:`Protocol` where it has no status."""
    raw = body.get("status")
    if not isinstance(raw, str):
        raise Protocol(f"status is {raw!r:.80}")
    phase = _timed_out(phase_of(raw), body)
    metrics = body.get("metrics")
    seconds = amount(metrics.get("predict_time")) if isinstance(metrics, Mapping) and phase in ENDED else None
    billed = seconds if raw.strip().lower() != "aborted" else None  # it never ran
    return Observation(
        phase=phase,
        raw_status=raw[:80],
        seen_at=now,
        started_at=moment(body.get("started_at")),
        completed_at=moment(body.get("completed_at")),
        error=_error(body, phase),
        cost_usd=None if billed is None or usd_per_second is None else billed * usd_per_second,
        compute_seconds=seconds,
        output_url=next(results_of(body), None),
        result=_result(body.get("output")) if phase is Phase.SUCCEEDED else None,
    )


def _timed_out(phase: Phase, body: Mapping[str, Any]) -> Phase:
    """Return whether Replicate ended the job at its deadline. Such a job is called canceled (or aborted) there, like
    one that was cancelled.
    """
    deadline, end = moment(body.get("deadline")), moment(body.get("completed_at"))
    if phase is Phase.CANCELED and deadline is not None and end is not None and end >= deadline - _DEADLINE_SLACK:
        return Phase.TIMED_OUT
    return phase


def _error(body: Mapping[str, Any], phase: Phase) -> str | None:
    error = body.get("error")
    if error is None or error == "":
        if phase is not Phase.FAILED:
            return None
        words = last_words(log_of(body)[-LOOKED_AT:])
        return f"Replicate does not say why; its output ends with: {words}" if words else "Replicate does not say why"
    written = (_written(error) or b"an error that is nested too deeply").decode()
    text = plain_text(error) if isinstance(error, str) else written
    return text[:_LONGEST_ERROR]


def _result(output: Any) -> dict[str, Any] | None:
    if output is None:
        return None
    written = _written(output)
    if written is None:
        return {"output": "nested too deeply to be kept here"}
    size = len(written)
    return {"output": output if size <= _LARGEST_RESULT else f"{size} bytes, too large to be kept here"}


def _written(value: Any) -> bytes | None:
    """Return ``value`` as JSON, or None if it is nested so deeply that not every reader can read it."""
    return orjson.dumps(value) if is_shallow(value) else None


def results_of(body: Mapping[str, Any]) -> Iterator[str]:
    """Return the addresses of the files that a job left. Its output may be any JSON, which gives their order."""
    waiting = [body.get("output")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and _ADDRESS.fullmatch(value):
            yield value
        elif isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict):
            waiting += reversed(value.values())


def log_of(body: Mapping[str, Any]) -> bytes:
    """Return all that the job printed and that is still there."""
    logs = body.get("logs")
    return logs.encode("utf-8", "replace") if isinstance(logs, str) else b""
