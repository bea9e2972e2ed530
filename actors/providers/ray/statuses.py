"""Translates Ray's statuses of a job into those of the runtime.

Ray reports a job that was to be stopped before it ran as FAILED, with several messages: it could not be started, or not
in time. So the functions here need to know whether a stop was requested.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from actors.jobs.records import Observation, Phase
from actors.providers.errors import Protocol
from actors.providers.json_reading import amount, amount_in, time_of
from actors.providers.last_words import last_words as last_words_of_output
from actors.providers.ray.preparing import DEADLINE
from actors.providers.samples import sample

PHASES: Mapping[str, Phase] = {
    "PENDING": Phase.QUEUED,
    "RUNNING": Phase.RUNNING,
    "SUCCEEDED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "STOPPED": Phase.CANCELED,
}

ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT})

_OWN_FAILURE = "JOB_ENTRYPOINT_COMMAND_ERROR"  # the program ran and ended with a status of its own
_SUPERVISOR_DIED = "JOB_SUPERVISOR_ACTOR_DIED"  # Ray's own process beside the program, with which the program ends
_TIMED_OUT, _KILLED = 124, 137  # exit statuses of timeout(1)
_LONGEST_ERROR = 500


class Stop(IntEnum):
    """What happened to our request to end a job, as far as this process knows."""

    NONE = 0
    TOO_LATE = 1  # it had ended when we asked: perhaps by a stop that a process before this one asked for
    ACCEPTED = 2


def has_ended(details: Mapping[str, Any]) -> bool:
    """Return whether an entry of Ray's list is for a job that has ended."""
    raw = details.get("status")
    return isinstance(raw, str) and PHASES.get(raw.strip().upper()) in ENDED


def observation_of(details: Mapping[str, Any], stop: Stop, seen_at: datetime) -> Observation:
    """One entry of Ray's list. Raises :class:`Protocol` for one without a status."""
    raw = details.get("status")
    if not isinstance(raw, str):
        raise Protocol(f"a job without a status: {sample(repr(dict(details)))}")
    phase = PHASES.get(raw.strip().upper(), Phase.UNKNOWN)
    if phase is Phase.FAILED and (stop is Stop.ACCEPTED or (stop and details.get("error_type") != _OWN_FAILURE)):
        phase = Phase.CANCELED
    if phase is Phase.RUNNING and stop is Stop.ACCEPTED:
        phase = Phase.STOPPING
    exit_code, signal = _ending(details.get("driver_exit_code"))
    if phase is Phase.FAILED and _passed_deadline(details, exit_code):
        phase = Phase.TIMED_OUT
    return Observation(
        phase,
        raw_status=raw[:64],
        seen_at=seen_at,
        started_at=_time(details.get("start_time")) if phase is not Phase.QUEUED else None,
        completed_at=_time(details.get("end_time")) if phase in ENDED else None,
        exit_code=exit_code if phase in ENDED else None,
        signal=signal if phase in ENDED else None,
        error=_error(details, exit_code, signal) if phase is Phase.FAILED else None,
        interrupted=_interrupted(details) if phase is Phase.FAILED else None,
    )


def last_words(text: str) -> str:
    """Return the line with the reason in a traceback or in a job's message, without the paths before it."""
    return sample(line) if (line := last_words_of_output(text)) else ""


def _ending(code: object) -> tuple[int | None, int | None]:
    """Return the exit status and the signal. Ray uses the convention of :mod:`subprocess`."""
    if isinstance(code, bool) or not isinstance(code, int):
        return None, None
    return (code, None) if code >= 0 else (None, -code)


def _error(details: Mapping[str, Any], exit_code: int | None, signal: int | None) -> str:
    message = details.get("message")
    words = last_words(message) if isinstance(message, str) else ""
    kind = details.get("error_type")
    if exit_code is not None:
        head = f"exit status {exit_code}"
    elif signal is not None:
        head = f"ended by signal {signal}"
    else:
        head = kind if isinstance(kind, str) else "failed"
    return f"{head}: {words}"[:_LONGEST_ERROR] if words else head[:_LONGEST_ERROR]


def _interrupted(details: Mapping[str, Any]) -> str | None:
    """Return why the end was not the program's own, or None if it was. The message of such an end is Ray's, not the
    job's.
    """
    if details.get("error_type") != _SUPERVISOR_DIED:
        return None
    return "its node was lost" if "node" in str(details.get("message")) else "Ray lost the process that ran it"


def _passed_deadline(details: Mapping[str, Any], exit_code: int | None) -> bool:
    metadata = details.get("metadata")
    allowed = amount_in(str(metadata.get(DEADLINE))) if isinstance(metadata, Mapping) else None
    if allowed is None or exit_code not in (_TIMED_OUT, _KILLED):
        return False
    start, end = _time(details.get("start_time")), _time(details.get("end_time"))
    return start is not None and end is not None and (end - start).total_seconds() >= allowed


def _time(milliseconds: object) -> datetime | None:
    known = amount(milliseconds)
    return None if known is None else time_of(known / 1000)
