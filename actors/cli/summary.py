"""The summary of a run: the result of each job, why jobs failed, what still waits or runs, where the log is.

It ends with the jobs of each group of the file side by side.
"""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

import click

from actors.cli.board import Board, Plan
from actors.cli.job_text import duration, jobs_text, lasted, measure, name_of, note, seconds_from, standing
from actors.cli.series import print_comparison
from actors.cli.tables import plain, print_table, short
from actors.jobs.statuses import TERMINAL_JOBS

_MOST_ROWS = 200
_RUNS = ("running", "queued", "uploading")
_COLUMNS = ("JOB", "NAME", "USER", "STATUS", "ACCURACY", "LOSS", "WAITED", "RAN")
_MEASURES = range(4, 6)


def print_summary(plan: Plan, board: Board, log: str | None, interrupted: bool) -> None:
    """Print the summary."""
    jobs = board.jobs()
    if jobs:
        rows = list(map(_row, jobs[:_MOST_ROWS]))
        shown = [at for at in range(len(_COLUMNS)) if at not in _MEASURES or any(row[at] for row in rows)]
        print_table([_COLUMNS[at] for at in shown], [[row[at] for at in shown] for row in rows], "")
        counts = ", ".join(f"{number} {status}" for status, number in Counter(map(standing, jobs)).items())
        more = f" (the first {_MOST_ROWS} are shown)" if len(jobs) > _MOST_ROWS else ""
        click.echo(f"{jobs_text(len(jobs))}: {counts}{more}\n")
    failed = [job for job in jobs if job["status"] == "failed"]
    for job in failed[:_MOST_ROWS]:
        click.secho(f"{name_of(job)} failed: {plain(note(job))}", fg="red")
    if failed:
        click.echo(f"Output of {name_of(failed[0])}: {plan.typed('logs', short(failed[0]['job_id']))}\n")
    if unended := _unended(plan, jobs, interrupted):
        click.echo("\n".join([*unended, ""]))
    if log is not None:
        chosen = next(iter(failed or jobs), None)
        about = "All its lines" if chosen is None else f"Its lines about {name_of(chosen)}"
        click.echo(f"The log is {log}. {about}:\n  {_jq(log, chosen)}")
    for user, group, compared in board.comparisons:
        click.echo(f"\nGroup {plain(group)}; this table again: {plan.typed('compare', group, '--user', user)}")
        print_comparison(compared)


def _row(job: dict[str, Any]) -> tuple[str, ...]:
    waited = seconds_from(job["queued_at"], job["started_at"])
    return (
        short(job["job_id"]), name_of(job), job["user_id"], standing(job), measure(job["result"], "accuracy"),
        measure(job["result"], "loss"), "" if waited is None else lasted(waited), duration(job),
    )  # fmt: skip


def _unended(plan: Plan, jobs: list[dict[str, Any]], interrupted: bool) -> list[str]:
    """Lines about jobs that have not ended (C5).

    Blocked jobs come with the command that approves them, running ones, which continue, with the command that cancels
    them.
    """
    lines = []
    blocked = [job for job in jobs if job["queue_status"] == "blocked"]
    if blocked:
        lines.append("Waiting for an approval; with a supervisor (greenroom run), approve by:")
        lines += [
            f"  {plan.typed('approve', job['approval']['approval_id'])}    # {name_of(job)}"
            for job in blocked
            if job["approval"] is not None
        ]
    runs = [job for job in jobs if job["status"] in _RUNS]
    if runs:
        names = ", ".join(f"{name_of(job)} ({short(job['job_id'])})" for job in runs)
        end_one = plan.typed("cancel", short(runs[0]["job_id"]))
        lines += [f"These jobs go on running: {names}", f"  cancel one, once a supervisor runs again: {end_one}"]
    waiting = [job for job in jobs if job["status"] not in TERMINAL_JOBS and job not in runs and job not in blocked]
    if waiting:
        lines.append(f"{len(waiting)} jobs still wait in the queue; the next run continues with them.")
    if interrupted and plan.job_file is not None and (runs or waiting or blocked):
        again = plan.typed("run", "--file", str(plan.job_file.path), "--until-idle")
        lines.append(f"Continue with this file: {again}")
    return lines


def _jq(log: str, job: dict[str, Any] | None) -> str:
    """A shell command that can be pasted as it is."""
    chosen = f'select(.correlation_id == "{job["correlation_id"]}") | ' if job is not None else ""
    program = f'{chosen}"\\(.timestamp) \\(.level) \\(.message)"'
    return f"jq -r {shlex.quote(program)} {shlex.quote(log)}"
