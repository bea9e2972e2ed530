"""Translates Slurm's states and our records of one job into the runtime's terms. It has no side effects.

An exit record proves an end, and is used instead of Slurm's state; only for CANCELLED, TIMEOUT and similar states Slurm
says the cause. While Slurm still says that the job runs, the cause is not known yet, and is waited for a moment.
NODE_FAIL, BOOT_FAIL and a record that vanished prove nothing, because the program may still run.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from actors.jobs.durations import seconds_between
from actors.jobs.records import Observation, Phase
from actors.providers.slurm.records import Exit, Known
from actors.providers.slurm.script import NO_DIRECTORY, SECOND_START
from actors.providers.slurm.squeue import SlurmJob

WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
)
RUNNING = frozenset({"RUNNING", "SUSPENDED", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING"})
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "PREEMPTED", "DEADLINE", "REVOKED"})
"""States of Slurm in which nothing of the job runs any more, where its node answers."""
NODE_LOST = {"NODE_FAIL": "its node failed", "BOOT_FAIL": "its node did not boot"}

_SURE = frozenset({"COMPLETED", "FAILED", "OUT_OF_MEMORY", "DEADLINE"})
"""Ends by themselves; the others only while the node answers, or where no node was given to the job."""
_KEEP_CAUSE = frozenset({"CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE", "OUT_OF_MEMORY"})
_INTERRUPTED = {"PREEMPTED": "preempted by another job", **NODE_LOST}
_OF_SIGNAL = 128
SETTLE_SECONDS = {"COMPLETING": 600.0}
USUAL_SETTLE_SECONDS = 60.0
"""For which an exit record waits for Slurm's word about the cause; in that state an epilog may take its time."""


@attrs.frozen
class Ending:
    """Slurm's exit code and signal of a job that has ended, if Slurm was asked for them."""

    code: int | None = None
    signal: int | None = None


def needs_ending(job: SlurmJob, known: Known) -> bool:
    """Return whether Slurm must be asked for the exit status: the job ended badly, and left no record of its end."""
    return known.exit is None and job.nodes is not None and job.state in ("FAILED", "OUT_OF_MEMORY", "DEADLINE")


def needs_nodes(job: SlurmJob, known: Known) -> bool:
    """Return whether the job's nodes must be asked. Slurm's state does not prove that the program ended there."""
    return known.exit is None and job.nodes is not None and job.state in NODE_LOST.keys() | (ENDED - _SURE)


def observation_of(
    job: SlurmJob, known: Known, now: datetime, *, ending: Ending | None = None, nodes_are_back: bool = True
) -> Observation:
    """Return what is known of a job that Slurm still shows.

    ``ending``: see :func:`needs_ending`. ``nodes_are_back``: whether the nodes of the job answer, and run nothing of it
    any more (:func:`needs_nodes`).
    """
    if job.state in WAITING:
        return Observation(Phase.QUEUED, job.state, now, waiting_reason=job.reason or None)
    if job.state in ENDED or (job.state in NODE_LOST and known.exit is not None):
        if nodes_are_back:
            return _ended(job, known, ending or Ending(), now)
        return Observation(
            Phase.LOST, job.state, now, error=f"{job.state}, and not all of its nodes answer ({job.nodes})"
        )
    if job.state in NODE_LOST:
        why = NODE_LOST[job.state]
        doubt = "" if nodes_are_back else "; its program may still run there"
        return Observation(
            Phase.LOST, job.state, now, started_at=_began(job, known), error=f"{why} ({job.state}){doubt}",
            proven_dead=nodes_are_back, interrupted=why,
        )  # fmt: skip
    if job.state in RUNNING:
        if known.exit is not None and _is_settled(known.exit, job.state, now):
            return of_exit(known.exit, job.state, now)
        return Observation(Phase.RUNNING, job.state, now, started_at=_began(job, known))
    return Observation(Phase.UNKNOWN, job.state, now)


def of_exit(record: Exit, raw_status: str, now: datetime) -> Observation:
    """Return what the exit record alone says."""
    code, signal = _of_shell(record.status)
    return Observation(
        Phase.SUCCEEDED if record.status == 0 else Phase.FAILED, raw_status, now,
        started_at=record.began, completed_at=record.ended, exit_code=code, signal=signal,
    )  # fmt: skip


def vanished(known: Known, now: datetime) -> Observation:
    """Return what is known of a job that Slurm does not show any more, and that accounting does not know."""
    if known.exit is not None:
        return of_exit(known.exit, "no longer shown", now)
    began = None if known.start is None else known.start.at
    where = f" on {known.start.node}" if known.start is not None and known.start.node else ""
    why = "Slurm no longer shows it, and it left no exit record"
    doubt = f"; its program may still run{where}" if known.start is not None else "; how it ended is not known"
    return Observation(Phase.LOST, "no longer shown", now, started_at=began, error=why + doubt)


def _ended(job: SlurmJob, known: Known, ending: Ending, now: datetime) -> Observation:
    record = known.exit
    code, signal = _of_shell(record.status) if record is not None else (ending.code, ending.signal)
    phase = _phase_of_end(job.state, code, signal)
    return Observation(
        phase, job.state, now,
        started_at=_began(job, known),
        completed_at=(record.ended if record is not None else None) or job.ended_at,
        exit_code=code, signal=signal,
        error=_error(job, known, phase, code, signal),
        interrupted=_INTERRUPTED.get(job.state),
    )  # fmt: skip


def _phase_of_end(state: str, code: int | None, signal: int | None) -> Phase:
    if state in ("CANCELLED", "REVOKED"):
        return Phase.CANCELED
    if state == "TIMEOUT":
        return Phase.TIMED_OUT
    if state in _KEEP_CAUSE or code or signal:
        return Phase.FAILED
    return Phase.SUCCEEDED if state == "COMPLETED" or code == 0 else Phase.FAILED


def _error(job: SlurmJob, known: Known, phase: Phase, code: int | None, signal: int | None) -> str | None:
    if phase is Phase.TIMED_OUT:
        return "deadline exceeded: Slurm's time limit"
    if phase is not Phase.FAILED:
        return None
    if (known.start is None and job.nodes is None) or job.reason == "BadConstraints":
        return f"Slurm did not start it: {job.reason or job.state}"
    if known.exit is None and code == SECOND_START:
        return "Slurm started it a second time, and it was not run again"
    if known.exit is None and code == NO_DIRECTORY:
        return f"{job.nodes} does not have the provider's directory: this machine and all nodes must share it"
    if known.exit is None and known.start is None and job.state == "FAILED":
        where = f"Slurm could not start its script on {job.nodes}"
        return f"{where}: this machine and all nodes must share the provider's directory (exit status {code})"
    how = f"ended by signal {signal}" if signal else f"exit status {code}" if code is not None else ""
    reason = {"OUT_OF_MEMORY": "out of memory", "PREEMPTED": "preempted by another job"}.get(job.state, "")
    if not reason and job.state not in ("FAILED", "COMPLETED"):
        reason = job.state
    return ": ".join(part for part in (reason, how) if part) or job.reason or job.state


def _is_settled(record: Exit, state: str, now: datetime) -> bool:
    waited = None if record.ended is None else seconds_between(record.ended, now)
    return waited is None or waited > SETTLE_SECONDS.get(state, USUAL_SETTLE_SECONDS)


def _began(job: SlurmJob, known: Known) -> datetime | None:
    records = (
        known.exit.began if known.exit is not None else None,
        known.start.at if known.start is not None else None,
    )
    if job.nodes is None:  # it was given none: what Slurm calls its start is its end
        return next((at for at in records if at is not None), None)
    return next((at for at in records if at is not None), job.started_at)


def _of_shell(status: int) -> tuple[int | None, int | None]:
    """Return the exit code and the signal. A shell reports a signal as 128 and its number."""
    return (None, status - _OF_SIGNAL) if _OF_SIGNAL < status <= _OF_SIGNAL + 64 else (status, None)
