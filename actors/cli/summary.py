"""The summary of a run: the result of each job, why jobs failed, what still waits or runs, where the log is."""

from __future__ import annotations

import shlex
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from actors.cli.board import Board
from actors.cli.context import typed
from actors.cli.job_text import duration, instant, lasted, name_of, note, standing
from actors.cli.session import Plan
from actors.cli.tables import plain, print_parts, short, table
from actors.jobs.durations import seconds_between
from actors.jobs.records import TERMINAL_JOBS

_MOST_ROWS = 200
_RUNS = ("running", "queued", "uploading")


def print_summary(plan: Plan, board: Board, log: str | None, interrupted: bool) -> None:
    """Print the summary."""
    print_parts(_summary(plan, board, log, interrupted))


def _summary(plan: Plan, board: Board, log: str | None, interrupted: bool) -> list[RenderableType]:
    jobs = board.jobs()
    parts: list[RenderableType] = []
    if jobs:
        parts += [_results(jobs), Text(_counted(jobs)), Text()]
    failed = [job for job in jobs if job["status"] == "failed"]
    parts += [Text(f"{name_of(job)} failed: {plain(note(job))}", style="red") for job in failed[:_MOST_ROWS]]
    if failed:
        parts += [Text(f"its output: {typed('logs', short(failed[0]['job_id']), config=plan.config)}"), Text()]
    parts += _unended(plan, jobs, interrupted)
    if log is not None:
        one = failed[0] if failed else jobs[0] if jobs else None
        parts += [Text(f"The log is {log}. The entries of one job:"), Text(f"  {_jq(log, one)}")]
    return parts


def _results(jobs: list[dict[str, Any]]) -> RenderableType:
    columns = ("JOB", "NAME", "USER", "STATUS", "ACCURACY", "LOSS", "WAITED", "RAN")
    rows = [
        (short(job["job_id"]), name_of(job), job["user_id"], standing(job), _measure(job, "accuracy"),
         _measure(job, "loss"), _waited(job), duration(job))
        for job in jobs[:_MOST_ROWS]
    ]  # fmt: skip
    return table(columns, rows)


def _measure(job: dict[str, Any], name: str) -> str:
    value = (job["result"] or {}).get(name)
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _waited(job: dict[str, Any]) -> str:
    queued, started = instant(job["queued_at"]), instant(job["started_at"])
    return "" if queued is None or started is None else lasted(seconds_between(queued, started))


def _counted(jobs: list[dict[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for job in jobs:
        counts[standing(job)] = counts.get(standing(job), 0) + 1
    more = f" (the first {_MOST_ROWS} are shown)" if len(jobs) > _MOST_ROWS else ""
    return f"{len(jobs)} jobs: {', '.join(f'{number} {status}' for status, number in counts.items())}{more}"


def _unended(plan: Plan, jobs: list[dict[str, Any]], interrupted: bool) -> list[RenderableType]:
    """Blocked jobs with the command that approves them; running ones, which continue, with how to cancel them (C5)."""
    parts: list[RenderableType] = []
    blocked = [job for job in jobs if job["queue_status"] == "blocked"]
    if blocked:
        parts.append(Text("Waiting for an approval; with a supervisor (greenroom run), approve by:", style="magenta"))
        parts += [
            Text(f"  {typed('approve', job['approval']['approval_id'], config=plan.config)}    # {name_of(job)}")
            for job in blocked
            if job["approval"] is not None
        ]
    runs = [job for job in jobs if job["status"] in _RUNS]
    if runs:
        names = ", ".join(f"{name_of(job)} ({short(job['job_id'])})" for job in runs)
        parts.append(Text(f"These jobs go on running: {names}"))
        end_one = typed("cancel", short(runs[0]["job_id"]), config=plan.config)
        parts.append(Text(f"  cancel one, once a supervisor runs again: {end_one}"))
    waiting = [job for job in jobs if job["status"] not in TERMINAL_JOBS and job not in runs and job not in blocked]
    if waiting:
        parts.append(Text(f"{len(waiting)} jobs still wait in the queue; the next run continues with them."))
    if interrupted and plan.job_file is not None and (runs or waiting or blocked):
        again = typed("run", "--file", str(plan.job_file.path), "--until-idle", config=plan.config)
        parts.append(Text(f"Continue with this file: {again}"))
    return [*parts, Text()] if parts else []


def _jq(log: str, job: dict[str, Any] | None) -> str:
    """A shell command that works as pasted."""
    chosen = f'select(.correlation_id == "{job["correlation_id"]}") | ' if job is not None else ""
    program = f'{chosen}"\\(.timestamp) \\(.level) \\(.message)"'
    return f"jq -r {shlex.quote(program)} {shlex.quote(log)}"
