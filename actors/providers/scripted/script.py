"""Computes what a simulated job does, from its script, the times of its submission and cancel, and the present time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

import attrs
import orjson
from attrs.validators import le

from actors.jobs.quantities import Seconds
from actors.jobs.records import Observation, Phase
from actors.jobs.series import Snapshot
from actors.jobs.series_book import SeriesBook
from actors.providers.errors import FieldFault, Invalid
from actors.providers.scripted.faults import IS_SECONDS, CallName, Fault
from actors.providers.specs import read_spec
from actors.validation import Format, Shape, StrictConverter, Wrong
from actors.validation.values import OR_MORE

#: Each look counts the steps one by one.
MOST_STEPS = 1_000
_REMEMBERED_BYTES = 4096  # of JSON of a spec


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
    Phase.LOST: "interrupted",
}


@attrs.frozen
class Script:
    """One job's script.

    ``duration``: how long it runs. ``queue_time``: how long it waits before it runs. ``cancel_time``: the time between
    a cancel and its end. ``result``: how it ends. ``error``: the error message of a job that fails. ``metrics``: what a
    completed job leaves as its result. ``progress``: how many steps it reports. ``interruptions``: so many of its first
    attempts are interrupted halfway. ``series``: by name, the numbers that it reports with step 0, 1, and so on.
    ``waiting_reason``: the reason that is shown while the job waits. ``faults``: by the name of a call (such as
    ``submit``), the faults of calls about this job alone. Each is a kind, or an object with the keys of a provider's
    ``faults`` without ``calls``.
    """

    duration: Seconds = attrs.field(default=1.0, validator=IS_SECONDS)
    queue_time: Seconds = attrs.field(default=0.0, validator=IS_SECONDS)
    cancel_time: Seconds = attrs.field(default=1.0, validator=IS_SECONDS)
    result: Ending = Ending.COMPLETED
    error: str = "failed as scripted"
    metrics: Mapping[str, Any] = attrs.field(factory=dict)
    progress: int = attrs.field(default=0, validator=[OR_MORE, le(MOST_STEPS)])
    interruptions: int = attrs.field(default=0, validator=OR_MORE)
    series: Mapping[str, tuple[float, ...]] = attrs.field(factory=dict)
    waiting_reason: str | None = None
    faults: tuple[Fault, ...] = ()

    def line(self, step: int) -> dict[str, Any]:
        """Return what the job reports when it has done ``step`` steps."""
        values = {name: each[step] for name, each in self.series.items() if step < len(each)}
        return {"step": step, "total": self.progress, **values}


def read_script(spec: Mapping[str, Any]) -> Script:
    """Return the script that ``spec`` (the ``spec`` object of a job request) describes.

    ``faults`` is an object there: the name of a call, and a list of fault kinds or fault objects. Raises
    :class:`Invalid` that names every wrong field, with a suggestion where a name is nearly right.
    """
    try:
        written = orjson.dumps(spec)
    except TypeError:  # what JSON cannot hold is refused with its field
        written = b""
    return _read_again(written) if 0 < len(written) <= _REMEMBERED_BYTES else _read(spec)


@lru_cache(maxsize=256)
def _read_again(written: bytes) -> Script:
    """Read a script, and remember the result: each spec is read three times, and many jobs have the same one."""
    return _read(orjson.loads(written))


def _read(spec: Any) -> Script:
    faults: list[FieldFault] = []
    script = read_spec(spec, Script, faults, converter=_SCRIPTS)
    if script is None:
        raise Invalid(*faults)
    return script


def _fault(value: Any, usual: Callable[[Any], Any]) -> Any:
    """Read a fault object, or only the kind of a fault."""
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
    """When a job starts, begins to stop and ends, and how it ends; None for what never happens.

    ``interrupted`` says why it ends, where the program itself is not the reason.
    """

    script: Script
    runs: datetime | None
    stops: datetime | None
    ends: datetime | None
    ending: Phase
    interrupted: str | None = None

    def ended(self, now: datetime) -> bool:
        """Return whether nothing of the job runs any more at ``now``."""
        return self.ends is not None and now >= self.ends

    def phase(self, now: datetime) -> Phase:
        """Return the phase that the job is in at ``now``."""
        if self.ended(now):
            return self.ending
        if self.stops is not None and now >= self.stops:
            return Phase.STOPPING
        return Phase.RUNNING if self.runs is not None and now >= self.runs else Phase.QUEUED

    def cut(self, at: datetime, reason: str) -> Timeline:
        """Return the same timeline, ended from outside at ``at``."""
        runs = self.runs if self.runs is not None and self.runs <= at else None
        return Timeline(self.script, runs, self.stops, at, Phase.LOST, reason)

    def next_change(self, now: datetime) -> datetime | None:
        """Return the first moment after ``now`` at which an observation would differ, or None where there is none."""
        moments = [self.runs, self.stops, self.ends, *self._steps()]
        return min((moment for moment in moments if moment is not None and moment > now), default=None)

    def observe(self, now: datetime) -> Observation:
        """Return what the provider reports about the job at ``now``."""
        phase, script = self.phase(now), self.script
        started_at = self.runs if self.runs is not None and now >= self.runs else None
        done = sum(1 for moment in self._steps() if moment <= now) if script.progress else 0
        reported = script.progress and started_at is not None
        return Observation(
            phase=phase,
            raw_status=phase.value,
            seen_at=now,
            started_at=started_at,
            completed_at=self.ends if self.ended(now) else None,
            exit_code=_EXIT_CODES.get(phase),
            error=script.error if phase is Phase.FAILED else self.interrupted if phase is Phase.LOST else None,
            proven_dead=phase is Phase.LOST,
            waiting_reason=script.waiting_reason,
            interrupted=self.interrupted if phase is Phase.LOST else None,
            progress=script.line(done) if reported else None,
            series=_series(script, done) if reported and script.series else None,
            result=dict(script.metrics) if phase is Phase.SUCCEEDED and script.metrics else None,
        )

    def log(self, now: datetime) -> bytes:
        """Return the job's output up to ``now``. The output at a later time begins with the same text."""
        steps = [(at, f"step {n} of {self.script.progress}") for n, at in enumerate(self._steps(), start=1)]
        lines = [(self.runs, "started"), *steps, (self.stops, "stopping"), (self.ends, _LAST_WORDS[self.ending])]
        return "".join(f"{at.isoformat()} {text}\n" for at, text in lines if at is not None and at <= now).encode()

    def _steps(self) -> list[datetime]:
        if self.runs is None or not self.script.progress:
            return []
        last = min((moment for moment in (self.stops, self.ends) if moment is not None), default=None)
        step = timedelta(seconds=self.script.duration) / self.script.progress
        moments = [self.runs + step * number for number in range(1, self.script.progress + 1)]
        return [moment for moment in moments if last is None or moment <= last]


def _series(script: Script, done: int) -> Snapshot | None:
    book = SeriesBook()
    for step in range(done + 1):
        book.add(script.line(step))
    found = book.snapshot()
    return found if found.series else None


def timeline(
    script: Script,
    submitted_at: datetime,
    cancelled_at: datetime | None = None,
    *,
    max_runtime: float | None = None,
    endless: bool = False,
    attempt: int = 1,
) -> Timeline:
    """Compute when an attempt starts and ends. A cancel before its end decides; else its deadline; else its script."""
    runs = submitted_at + timedelta(seconds=script.queue_time)
    ends = None if endless else runs + timedelta(seconds=script.duration)
    ending, interrupted = _ENDING_PHASES[script.result], None
    if attempt <= script.interruptions and not endless:
        ends, ending, interrupted = runs + timedelta(seconds=script.duration / 2), Phase.LOST, "preempted as scripted"
    elif max_runtime is not None and (endless or max_runtime < script.duration):
        ends, ending = runs + timedelta(seconds=max_runtime), Phase.TIMED_OUT
    if cancelled_at is None or (ends is not None and cancelled_at >= ends):
        return Timeline(script, runs, None, ends, ending, interrupted)
    stopped = cancelled_at + timedelta(seconds=script.cancel_time)
    return Timeline(script, runs if runs <= cancelled_at else None, cancelled_at, stopped, Phase.CANCELED)
