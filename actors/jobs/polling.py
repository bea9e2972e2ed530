"""What follows from one observation: which transition, which values, which doubt.

A provider's report is late by nature. A report that contradicts what is already known (a step back, a report about an
ended job or about one that is back in the queue) is ignored as a whole, with its values: they are as old as its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.lifecycle import PHASE_TRIGGERS, TRANSITIONS, Trigger, step
from actors.jobs.records import TERMINAL_JOBS, Job, JobStatus, Observation, Phase, QueueStatus

DEBUG, WARNING = 10, 30
"""The standard library's numbers of these log levels; this package does not import logging."""

DEADLINE_EXCEEDED = "deadline exceeded"
"""The beginning of the message of a job that ran for too long; a provider that knows the limit adds it."""

_COPIED = ("started_at", "cost_usd", "output_url", "exit_code", "signal", "progress", "result", "devices")

_OUTCOMES = {trigger: TRANSITIONS[trigger][1].job for trigger in PHASE_TRIGGERS.values()}


@attrs.frozen
class ObservationVerdict:
    """What to do about an observation.

    ``trigger``: the transition to make. ``changes``: the job's columns that really change, with their values.
    ``uncertain``: why it is unknown whether the job still runs. ``note``: a log level and the message for it.
    """

    trigger: Trigger | None = None
    changes: Mapping[str, Any] = attrs.field(factory=dict)
    uncertain: str | None = None
    note: tuple[int, str] | None = None


def interpret(job: Job, entry_status: QueueStatus, observation: Observation, now: datetime) -> ObservationVerdict:
    """What ``observation`` means for ``job``. An absent value never overwrites a present one."""
    phase = observation.phase
    trigger = Trigger.OBSERVE_FAILED if phase is Phase.LOST else PHASE_TRIGGERS.get(phase)
    if job.status in TERMINAL_JOBS or entry_status is not QueueStatus.RUNNING:
        return _put_aside(job, observation, trigger)
    if trigger is None:
        text = f"unknown status {observation.raw_status!r}, kept as {job.status.value}"
        return ObservationVerdict(changes=_changes(job, _reported(observation)), note=(WARNING, text))
    if phase is Phase.LOST and not observation.proven_dead:
        return ObservationVerdict(uncertain=_lost(observation))
    following = step(job.status, entry_status, trigger)
    if following is None and _OUTCOMES[trigger] is not job.status:
        return _put_aside(job, observation, trigger)
    reported = _reported(observation) | {"uncertain_since": None, "uncertain_reason": None}
    if following is None:
        return ObservationVerdict(changes=_changes(job, reported))
    if following.job in TERMINAL_JOBS:
        reported |= _ending(job, observation, now)
    elif following.job is JobStatus.RUNNING and job.started_at is None:
        reported.setdefault("started_at", observation.seen_at or now)
    return ObservationVerdict(trigger, _changes(job, reported))


def _put_aside(job: Job, observation: Observation, trigger: Trigger | None) -> ObservationVerdict:
    """A report that contradicts what is known changes nothing; one that only repeats it is not logged."""
    if trigger is not None and _OUTCOMES[trigger] is job.status:
        return ObservationVerdict()
    late = observation.raw_status or observation.phase.value
    return ObservationVerdict(note=(DEBUG, f"late or backward status {late!r} ignored, the job is {job.status.value}"))


def _reported(observation: Observation) -> dict[str, Any]:
    """What the provider reported, by column."""
    reported = {name: getattr(observation, name) for name in _COPIED} | {"error_message": observation.error}
    found = {name: value for name, value in reported.items() if value is not None}
    return found | {"waiting_reason": observation.waiting_reason if observation.phase is Phase.QUEUED else None}


def _changes(job: Job, reported: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reported.items() if value != getattr(job, name)}


def _ending(job: Job, observation: Observation, now: datetime) -> dict[str, Any]:
    ending: dict[str, Any] = {"completed_at": observation.completed_at or observation.seen_at or now}
    message = _end_message(job, observation)
    return ending if message is None else ending | {"error_message": message}


def _end_message(job: Job, observation: Observation) -> str | None:
    match observation.phase:
        case Phase.TIMED_OUT:
            error = observation.error or ""
            return error if error.startswith(DEADLINE_EXCEEDED) else DEADLINE_EXCEEDED
        case Phase.LOST:
            return _lost(observation)
        case Phase.CANCELED if observation.error is None and job.cancel_requested_by is not None:
            return f"Cancelled by {job.cancel_requested_by}"
        case Phase.FAILED if observation.error is None and job.error_message is None:
            return _how_it_died(observation)
    return observation.error


def _lost(observation: Observation) -> str:
    why = observation.error or "the provider no longer knows it"
    return why if why.startswith("lost: ") else f"lost: {why}"


def _how_it_died(observation: Observation) -> str | None:
    if observation.signal is not None:
        return f"ended by signal {observation.signal}"
    return None if observation.exit_code is None else f"exit status {observation.exit_code}"


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
