"""Whether a job runs again after an end, and when: decided from its request and from how its attempt ended.

An *interrupted* attempt did not end by its own doing: it was preempted, its node was lost, its machine was restarted.
Another attempt follows only a proven end, and none whose cancel was requested: otherwise two attempts could run at
once, or one that nobody wants any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from actors.jobs.records import Job, Observation, Phase, QueueEntry, Rerun
from actors.jobs.suggestions import did_you_mean

MOST_TIMES = 100
"""Runs again of one job: each keeps a directory, and a line where the job is shown."""

MOST_DELAY = 86_400.0
"""Seconds before a first run again, at the most."""

LONGEST_DELAY = 3600.0
"""Seconds to which the wait before another attempt grows, unless a longer first one was asked for."""

MOST_EXIT_CODE = 255


class EndKind(StrEnum):
    """How an attempt ended that did not end well: what ``rerun.on`` names."""

    INTERRUPTED = "interrupted"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


_NAMES = tuple(kind.value for kind in EndKind)


def rerun_fault(asked: Rerun) -> tuple[tuple[str | int, ...], str] | None:
    """The path of the first value of ``asked`` that makes no sense, and what is wrong with it; None: there is none."""
    if not 0 <= asked.times <= MOST_TIMES:
        return ("times",), f"must be between 0 and {MOST_TIMES}, not {asked.times}"
    if not asked.times and asked != Rerun():
        return ("times",), "is 0, so that the job never runs again: say how often it may"
    if asked.times and not asked.on and not asked.exit_codes:
        return ("on",), "is empty, and so is exit_codes: say after which ends the job runs again"
    for index, kind in enumerate(asked.on):
        if kind not in _NAMES:
            return ("on", index), f"must be {', '.join(_NAMES)}, not {kind!r:.80}{did_you_mean(kind, _NAMES)}"
    for index, code in enumerate(asked.exit_codes):
        if not 1 <= code <= MOST_EXIT_CODE:
            return ("exit_codes", index), f"must be between 1 and {MOST_EXIT_CODE}, not {code}"
    if not 0 <= asked.delay <= MOST_DELAY:
        return ("delay",), f"must be between 0 and {MOST_DELAY:.0f} s, not {asked.delay:g}"
    return None


@attrs.frozen
class RunAgain:
    """The job runs again. ``wait``: seconds before it may, until ``not_before``; ``reason``: how the attempt ended."""

    kind: EndKind
    reason: str
    wait: float
    not_before: datetime | None


_KINDS: Mapping[Phase, EndKind] = {
    Phase.FAILED: EndKind.FAILED,
    Phase.LOST: EndKind.FAILED,
    Phase.TIMED_OUT: EndKind.TIMED_OUT,
}


def end_kind(observation: Observation) -> EndKind | None:
    """How the attempt ended; None: well, by a cancel, or it is not proven that it ended."""
    phase = observation.phase
    if phase is Phase.LOST and not observation.proven_dead:
        return None
    if observation.interrupted is not None and phase in (Phase.FAILED, Phase.LOST, Phase.CANCELED):
        return EndKind.INTERRUPTED
    return _KINDS.get(phase)


def run_again(
    job: Job, entry: QueueEntry, observation: Observation, error: str | None, now: datetime
) -> RunAgain | None:
    """What follows where ``job`` is to run again after the end that was observed; None: that end is its own.

    ``job`` and ``entry`` are as before the end; ``error`` is what the job's message would be.
    """
    asked = job.request.rerun
    if entry.reruns >= asked.times or job.cancel_requested_at is not None:
        return None
    kind = end_kind(observation)
    if kind is None or not (kind.value in asked.on or observation.exit_code in asked.exit_codes):
        return None
    wait = delay_before(asked.delay, entry.reruns)
    reason = observation.interrupted or error or kind.value
    return RunAgain(kind, reason, wait, now + timedelta(seconds=wait) if wait else None)


def delay_before(delay: float, reruns: int) -> float:
    """Seconds before a job that ran again ``reruns`` times does so once more: doubled each time, to an hour."""
    return min(delay * 2.0 ** min(reruns, 30), max(delay, LONGEST_DELAY))
