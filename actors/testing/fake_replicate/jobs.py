"""A job at the fake: its script, and its state at any moment. Only time changes it; nothing has to run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs

RETENTION = timedelta(hours=1)
"""How long input, output and logs of a job made by the API stay after its end."""


class Outcome(StrEnum):
    """How a scripted job ends if nobody cancels it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"  # ended before it started
    NEVER = "never"


@attrs.frozen
class Script:
    """What a job does: it waits ``queue_seconds``, runs ``seconds``, and ends with ``outcome``.

    ``output``: the output of a prediction; None: one file, which the fake itself keeps. ``error``: the message of a
    failed job. ``logs``: all that it prints, spread evenly over its run. ``obeys_cancel``: whether a cancel request
    ends it.
    """

    queue_seconds: float = 0.0
    seconds: float = 10.0
    outcome: Outcome = attrs.field(default=Outcome.SUCCEEDED, converter=Outcome)
    output: Any = None
    error: str = "the model raised an error"
    logs: str = ""
    obeys_cancel: bool = True


@attrs.frozen
class Standing:
    """The state of a job at one moment."""

    status: str
    started_at: datetime | None = None
    completed_at: datetime | None = None


@attrs.define
class RemoteJob:
    """One prediction or training, as the fake keeps it.

    ``number`` counts creations; ``created_at`` never decreases with it. ``digits``: of the fractions of a second in its
    timestamps. ``skew``: how much later the answer to its creation dates it than any other answer.
    """

    id: str
    number: int
    kind: str
    model: str
    version: str
    input: Mapping[str, Any]
    created_at: datetime
    script: Script
    webhook: str | None = None
    events: frozenset[str] = frozenset()
    source: str = "api"
    deployment: str | None = None
    destination: str | None = None
    deadline: datetime | None = None
    digits: int = 6
    skew: timedelta = timedelta()
    canceled_at: datetime | None = None

    @property
    def starts_at(self) -> datetime:
        """When it leaves the queue, if it is not cancelled before."""
        return self.created_at + timedelta(seconds=self.script.queue_seconds)

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, as far as is known now; None: never."""
        end = self._end()
        return end and end[0]

    def _end(self) -> tuple[datetime, str] | None:
        script, start = self.script, self.starts_at
        ends = []
        if script.outcome is Outcome.ABORTED:
            ends.append((start, "aborted"))
        elif script.outcome is not Outcome.NEVER:
            ends.append((start + timedelta(seconds=script.seconds), script.outcome.value))
        if self.deadline is not None:
            ends.append((self.deadline, "canceled" if self.deadline >= start else "aborted"))
        if self.canceled_at is not None:
            ends.append((self.canceled_at, "canceled"))
        return min(ends, default=None)

    def standing(self, now: datetime) -> Standing:
        """Return its state at ``now``."""
        start, end = self.starts_at, self._end()
        if end is not None and end[0] <= now:
            started = start if end[1] != "aborted" and start <= end[0] else None
            return Standing(end[1], started, end[0])
        return Standing("processing", start) if start <= now else Standing("starting")

    def logs(self, now: datetime) -> str:
        """Return what it has printed until ``now``."""
        standing = self.standing(now)
        if standing.started_at is None:
            return ""
        if standing.status in ("succeeded", "failed"):
            return self.script.logs
        run = max(self.script.seconds, 1e-6)
        share = ((standing.completed_at or now) - standing.started_at).total_seconds() / run
        lines = self.script.logs.splitlines(keepends=True)
        return "".join(lines[: int(len(lines) * min(share, 1.0))])

    def removed(self, now: datetime) -> bool:
        """Return whether its input, output and logs are deleted."""
        end = self.ends_at
        return self.source == "api" and end is not None and end + RETENTION <= now

    def cancel(self, now: datetime) -> None:
        """Obey a cancel request, unless the job has ended or its script says otherwise."""
        if self.script.obeys_cancel and self.standing(now).completed_at is None:
            self.canceled_at = now
