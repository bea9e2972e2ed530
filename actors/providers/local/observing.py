"""Makes an observation for the runtime from a look at a directory. It reads what the job left, and changes nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from actors.jobs.records import Observation, Phase
from actors.providers.local.directory import JobDirectory, read_record
from actors.providers.local.end_messages import (
    NOTE,
    STOPPED,
    end_message,
    failure_message,
    has_windows_lines,
    script_of_shell,
    shell_stumbles,
    shown,
)
from actors.providers.local.liveness import Look, Standing
from actors.providers.local.lost_jobs import Remains
from actors.providers.local.outputs import Outputs, last_line, output_url
from actors.providers.local.records import moment, text
from actors.providers.local.shim.files import MOST_SPEC
from actors.providers.trails import trail_of
from logconf.correlation import JOB_VARIABLE


def observe(directory: JobDirectory, seen: Look, outputs: Outputs) -> Observation:
    """Return the observation of a job whose shim lives or has written its record."""
    spec = _spec(directory)
    env = spec.get("env")
    with trail_of(env.get(JOB_VARIABLE) if isinstance(env, Mapping) else None):
        return _observed(directory, seen, spec, outputs)


def _observed(directory: JobDirectory, seen: Look, spec: Mapping[str, Any], outputs: Outputs) -> Observation:
    job_id = text(spec.get("job_id"), directory.key)
    if seen.exit is not None:
        return attrs.evolve(_ended(directory, seen.exit, spec, outputs), devices=devices_of(seen.run))
    if seen.standing is Standing.RUNNING:
        phase = Phase.STOPPING if seen.cancel else Phase.RUNNING
        return Observation(
            phase=phase,
            raw_status=phase.value,
            started_at=_time(seen.run, "started_at"),
            **outputs.reported(directory, job_id),
            devices=devices_of(seen.run),
        )
    return Observation(phase=Phase.STARTING, raw_status="starting")


def lost(directory: JobDirectory, seen: Look, left: Remains, outputs: Outputs) -> Observation:
    """Return the observation of a job whose shim died: LOST, and proven dead where nothing of it is left."""
    interrupted = None
    if seen.fault:  # its own doing, most likely
        reason = f"its shim is gone, and how the job ended is not known: {shown(seen.fault)}"
    elif seen.run is not None and not seen.same_boot:
        reason = interrupted = "the machine was restarted while the job ran"
    else:
        interrupted = "its shim was killed while the job ran"
        reason = f"{interrupted}, and how the job ended is not known"
    if left.pids:
        reason += f"; process {left.pids[0]} may be left of it"
    elif not left.proven:
        reason += "; nothing here can prove that no process of it is left (greenroom doctor)"
    spec = _spec(directory)
    return Observation(
        phase=Phase.LOST,
        raw_status="dead",
        started_at=_time(seen.run, "started_at"),
        error=reason,
        output_url=output_url(directory),
        **outputs.reported(directory, text(spec.get("job_id"), directory.key), ended=left.proven),
        proven_dead=left.proven,
        interrupted=interrupted,
    )


def never_ran() -> Observation:
    """Return the observation of a job that was cancelled before it ran.

    A shim that starts late obeys the cancel file.
    """
    return Observation(phase=Phase.CANCELED, raw_status="cancelled before start", proven_dead=True)


def _ended(
    directory: JobDirectory, record: Mapping[str, Any], spec: Mapping[str, Any], outputs: Outputs
) -> Observation:
    error = None
    if record.get("failure"):
        words = failure_message(record, [_program(spec)], text(spec.get("cwd")))
        phase, error = Phase.FAILED, shown(words)
    elif record.get("cancelled"):
        phase = Phase.CANCELED
    elif record.get("timed_out"):
        phase, error = Phase.TIMED_OUT, _deadline(spec.get("max_runtime"))
    elif record.get("code") == 0:
        phase = Phase.SUCCEEDED
    else:
        phase, error = Phase.FAILED, end_message(record, last_line(directory)) + _script_note(spec, record)
    told_to_stop = phase is Phase.FAILED and record.get("told_to_stop")  # as when the machine is shut down
    job_id = text(spec.get("job_id"), directory.key)
    reported = outputs.reported(directory, job_id, ended=True)
    outputs.ended(directory)
    return Observation(
        phase=phase,
        raw_status="ended",
        started_at=_time(record, "started_at"),
        completed_at=_time(record, "ended_at"),
        exit_code=record.get("code"),
        signal=record.get("signal"),
        error=error,
        output_url=output_url(directory),
        **reported,
        result=outputs.result(directory, job_id),
        proven_dead=True,
        interrupted=STOPPED if told_to_stop else None,
    )


def devices_of(run: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Return the GPUs that the shim made visible to the job, by UUID or index, or None where it has none."""
    names = text((run or {}).get("devices"), "-")
    return None if names in ("", "-") else tuple(names.split(","))


def _program(spec: Mapping[str, Any]) -> str:
    argv = spec.get("argv")
    return text(argv[0]) if isinstance(argv, list) and argv else "?"


def _script_note(spec: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Explain an error that a carriage return in a script causes: the interpreter's own message says little."""
    env = spec.get("env")
    path = text(env.get("PATH"), os.defpath) if isinstance(env, Mapping) else os.defpath
    if record.get("code") is None:
        return ""
    cwd, argv = text(spec.get("cwd"), "/"), spec.get("argv")
    script = script_of_shell([text(word) for word in argv]) if isinstance(argv, list) else ""
    return f"; {NOTE}" if has_windows_lines(_program(spec), cwd, path) or shell_stumbles(script, cwd) else ""


def _deadline(seconds: object) -> str:
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < math.inf
    return f"deadline exceeded: it ran longer than {seconds:g} s" if known else "deadline exceeded"


def _spec(directory: JobDirectory) -> Mapping[str, Any]:
    """Return what was to be run, or nothing where the job has damaged that. It is used in messages only."""
    try:
        return read_record(directory.spec, MOST_SPEC) or {}
    except ValueError:
        return {}


def _time(record: Mapping[str, Any] | None, name: str) -> datetime | None:
    seconds = moment(record.get(name)) if record else None
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
