"""``submit --wait``: until the jobs that were submitted have ended."""

from __future__ import annotations

import shlex
from typing import Any

import click

from actors.cli.address import program
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.exit_statuses import ExitStatus
from actors.cli.job_text import name_of, reason_of
from actors.cli.tables import plain, short
from actors.jobs.statuses import TERMINAL_JOBS


def wait_for(client: Client, submitted: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each job by its id, once all have ended; what happens meanwhile goes to stderr.

    The stream is opened first and the rows are read then: whatever ends in between is in one of the two.
    """
    from actors.cli.event_stream import Patience, events
    from actors.cli.event_text import describe

    patience = Patience(client)
    open_ones = {job["job_id"]: name_of(job) for job in submitted}
    ended: dict[str, dict[str, Any]] = {}

    def look(job_id: str) -> None:
        job = patience.ask(lambda: client.request("GET", "api", "jobs", job_id))
        if job["status"] in TERMINAL_JOBS:
            ended[job_id] = job
        elif job["reason"]:
            click.echo(f"{open_ones[job_id]} ({short(job_id)}) waits: {reason_of(job)}", err=True)

    only = {"job_id": submitted[0]["job_id"]} if len(submitted) == 1 else {}
    for kind, event in events(client, only, patience, is_begun=True):
        job_id = event.get("job_id")
        if kind == "connection":
            for each in open_ones:
                if each not in ended:
                    look(each)
        elif job_id is not None and job_id in open_ones and job_id not in ended:
            click.echo(describe(event, open_ones[job_id]), err=True)
            if event.get("status") in TERMINAL_JOBS:
                look(job_id)
        if len(ended) == len(open_ones):
            return ended
    raise Failed(f"the supervisor stopped while this waited; jobs that run go on running: {program()} jobs")


def goes_on(submitted: list[dict[str, Any]]) -> str:
    """What is printed after Ctrl-C: the jobs go on, and how to follow or end them."""
    if len(submitted) > 1:
        groups = {job["group"] for job in submitted}
        by = (
            f"{program()} cancel --group {shlex.quote(groups.pop())}" if len(groups) == 1 and None not in groups else ""
        )
        return f"{len(submitted)} jobs go on; {program()} jobs{by and f', {by}'}"
    job = submitted[0]
    named = shlex.quote(job["config_name"] or short(job["job_id"]))
    about = f"{name_of(job)} ({short(job['job_id'])})"
    return plain(f"{about} goes on; {program()} logs -f {named}, {program()} cancel {named}")


def exit_status(job: dict[str, Any]) -> int:
    """The exit status for an ended job: its own exit status, 128 + the signal that ended it, else 0 or 1."""
    if job["status"] == "completed":
        return ExitStatus.DONE
    if isinstance(number := job.get("signal"), int) and 0 < number < ExitStatus.SIGNALLED:
        return ExitStatus.SIGNALLED + number
    code = job["exit_code"]
    return code if isinstance(code, int) and 0 < code <= ExitStatus.HIGHEST else ExitStatus.FAILED
