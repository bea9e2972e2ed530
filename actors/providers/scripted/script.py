"""What a simulated job does, as a pure function of (script, submitted at, cancelled at, now)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import attrs
from attrs.validators import le

from actors.jobs.records import Observation, Phase
from actors.providers.errors import Invalid
from actors.providers.scripted.faults import IS_SECONDS, CallName, Fault
from actors.providers.specs import read_spec
from actors.validation import Format, Shape, StrictConverter, Wrong
from actors.validation.values import OR_MORE

#: Each look counts the steps one by one.
MOST_STEPS = 1_000


class Ending(StrEnum):
    """How a job ends by itself."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDING_PHASES = {
    Ending.COMPLETED: Phase.SUCCEEDED,
    Ending.FAILED: Phase.FAILED,
    Ending.CANCELLED: Phase.CANCELED,
}
_EXIT_CODES = {Phase.SUCCEEDED: 0, Phase.FAILED: 1}
_LAST_WORDS = {
    Phase.SUCCEEDED: "completed",
    Phase.FAILED: "failed",
    Phase.CANCELED: "cancelled",
    Phase.TIMED_OUT: "killed: deadline exceeded",
}


@attrs.frozen
class Script:
    """One job's script. Times are seconds.

    ``queue_time`` passes before it runs, ``duration`` while it runs, ``cancel_time`` between a cancel and its end.
    ``progress`` is how many steps it reports, ``metrics`` what a completed job leaves as its result, ``error`` what a
    failed one says. ``faults`` strike calls about this job alone.
    """

    duration: float = attrs.field(default=1.0, validator=IS_SECONDS)
    queue_time: float = attrs.field(default=0.0, validator=IS_SECONDS)
    cancel_time: float = attrs.field(default=1.0, validator=IS_SECONDS)
    result: Ending = Ending.COMPLETED
    error: str = "failed as scripted"
    metrics: Mapping[str, Any] = attrs.field(factory=dict)
    progress: int = attrs.field(default=0, validator=[OR_MORE, le(MOST_STEPS)])
    faults: tuple[Fault, ...] = ()


def read_script(spec: Mapping[str, Any]) -> Script:
    """The script that ``spec`` (a job request's ``spec`` object) describes.

    ``faults`` is an object there: call name → list of fault kinds or fault objects. Raises :class:`Invalid` naming
    every wrong field, with a guess where a name is nearly right.
    """
    faults: list[str] = []
    script = read_spec(spec, Script, faults, converter=_SCRIPTS)
    if script is None:
        raise Invalid("; ".join(faults))
    return script


def _fault(value: Any, usual: Callable[[Any], Any]) -> Any:
    """A fault, or its kind alone."""
    return usual({"kind": value} if isinstance(value, str) else value)


def _faults_by_call(value: Any, usual: Callable[[Any], Any]) -> tuple[Fault, ...]:
    found = []
    for call, faults in usual(value).items():
        for number, fault in enumerate(faults):
            try:
                found.append(attrs.evolve(fault, calls=(call,)))
            except ValueError as error:
                raise Wrong(str(error), call, number) from None
    return tuple(found)


_Faults = Mapping[CallName, tuple[Annotated[Fault, Format(_fault)], ...]]
_SCRIPTS = StrictConverter(
    {
        Script: Shape(types={"faults": Annotated[_Faults, Format(_faults_by_call)]}),
        Fault: Shape(hidden={"calls"}),
    }
)


@attrs.frozen
class Timeline:
    """When a job runs, is being stopped, and ends, and how; None for what never happens."""

    runs: datetime | None
    stops: datetime | None
    ends: datetime | None
    ending: Phase

    def phase(self, now: datetime) -> Phase:
        """The phase that the job is in at ``now``."""
        if self.ends is not None and now >= self.ends:
            return self.ending
        if self.stops is not None and now >= self.stops:
            return Phase.STOPPING
        return Phase.RUNNING if self.runs is not None and now >= self.runs else Phase.QUEUED


def timeline(
    script: Script,
    submitted_at: datetime,
    cancelled_at: datetime | None = None,
    *,
    max_runtime: float | None = None,
    endless: bool = False,
) -> Timeline:
    """What becomes of a job: a cancel before its end decides; else the deadline, else the script."""
    runs = submitted_at + timedelta(seconds=script.queue_time)
    ends = None if endless else runs + timedelta(seconds=script.duration)
    ending = _ENDING_PHASES[script.result]
    if max_runtime is not None and (endless or max_runtime < script.duration):
        ends, ending = runs + timedelta(seconds=max_runtime), Phase.TIMED_OUT
    if cancelled_at is None or (ends is not None and cancelled_at >= ends):
        return Timeline(runs, None, ends, ending)
    stopped = cancelled_at + timedelta(seconds=script.cancel_time)
    return Timeline(runs if runs <= cancelled_at else None, cancelled_at, stopped, Phase.CANCELED)


def steps_done(script: Script, line: Timeline, now: datetime) -> int:
    """How many of the script's steps the job has reported at ``now``."""
    return sum(1 for moment in _steps(script, line) if moment <= now)


def next_change(script: Script, line: Timeline, now: datetime) -> datetime | None:
    """The first moment after ``now`` at which an observation would show something new; None: never again."""
    moments = [line.runs, line.stops, line.ends, *_steps(script, line)]
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def _steps(script: Script, line: Timeline) -> list[datetime]:
    if line.runs is None or not script.progress:
        return []
    last = min((moment for moment in (line.stops, line.ends) if moment is not None), default=None)
    step = timedelta(seconds=script.duration) / script.progress
    moments = [line.runs + step * number for number in range(1, script.progress + 1)]
    return [moment for moment in moments if last is None or moment <= last]


def observe(script: Script, line: Timeline, now: datetime) -> Observation:
    """What the provider reports of the job at ``now``."""
    phase = line.phase(now)
    ended = line.ends is not None and now >= line.ends
    started_at = line.runs if line.runs is not None and now >= line.runs else None
    reported = script.progress and started_at is not None
    return Observation(
        phase=phase,
        raw_status=phase.value,
        seen_at=now,
        started_at=started_at,
        completed_at=line.ends if ended else None,
        exit_code=_EXIT_CODES.get(phase),
        error=script.error if phase is Phase.FAILED else None,
        progress={"step": steps_done(script, line, now), "steps": script.progress} if reported else None,
        result=dict(script.metrics) if phase is Phase.SUCCEEDED and script.metrics else None,
    )


def log_text(script: Script, line: Timeline, now: datetime) -> bytes:
    """The job's output up to ``now``; a later one only adds to it."""
    lines: list[tuple[datetime, str]] = []
    if line.runs is not None:
        lines.append((line.runs, "started"))
    lines += [(at, f"step {n} of {script.progress}") for n, at in enumerate(_steps(script, line), start=1)]
    if line.stops is not None:
        lines.append((line.stops, "stopping"))
    if line.ends is not None:
        lines.append((line.ends, _LAST_WORDS[line.ending]))
    return "".join(f"{at.isoformat()} {text}\n" for at, text in lines if at <= now).encode()
