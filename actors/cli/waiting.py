"""``submit --wait``: waits until the submitted jobs have ended."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from actors.cli.address import program
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.exit_statuses import ExitStatus
from actors.cli.job_text import name_of, reason_of
from actors.cli.tables import plain, short
from actors.jobs.statuses import TERMINAL_JOBS

if TYPE_CHECKING:
    from actors.cli.event_stream import Patience


_FEW = 20
"""Up to this many jobs are read one by one; more are read as a list, in pages of :data:`_ROWS`."""
_ROWS = 1000


def wait_for(client: Client, submitted: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Wait until all jobs have ended, and return each by its id. Events meanwhile are printed to stderr.

    The stream is opened first and the rows are read then: a job that ends in between is seen in one of the two.
    """
    from actors.cli.event_stream import Patience, events
    from actors.cli.event_text import describe

    patience = Patience(client)
    waiting = _Waiting(client, patience, submitted)
    only = {"job_id": submitted[0]["job_id"]} if len(submitted) == 1 else {}
    for kind, event in events(client, only, patience, is_begun=True):
        job_id = event.get("job_id")
        if kind == "connection":
            waiting.look_at_all()
        elif job_id is not None and job_id in waiting.open:
            click.echo(describe(event, waiting.open[job_id]), err=True)
            if event.get("status") in TERMINAL_JOBS:
                waiting.look(job_id)
        if not waiting.open:
            return waiting.ended
    raise Failed(f"the supervisor stopped while this waited; jobs that run go on running: {program()} jobs")


class _Waiting:
    """Jobs that are waited for: names of the ``open`` ones, documents of those that have ``ended``, by their ids."""

    def __init__(self, client: Client, patience: Patience, submitted: list[dict[str, Any]]) -> None:
        self._client = client
        self._patience = patience
        self._since = min(job["created_at"] for job in submitted)
        self.open = {job["job_id"]: name_of(job) for job in submitted}
        self.ended: dict[str, dict[str, Any]] = {}

    def look(self, job_id: str) -> None:
        """Read one job."""
        self._note(self._patience.ask(lambda: self._client.request("GET", "api", "jobs", job_id)))

    def look_at_all(self) -> None:
        """Read the open ones."""
        if len(self.open) <= _FEW:
            for job_id in list(self.open):
                self.look(job_id)
            return
        params = {"limit": _ROWS, "since": self._since}
        left = set(self.open)
        while left:
            page = self._patience.ask(partial(self._client.request, "GET", "api", "jobs", params=params))
            for job in page["jobs"]:
                if job["job_id"] in left:
                    left.remove(job["job_id"])
                    self._note(job)
            if page["next"] is None:
                break
            params = {**params, "cursor": page["next"]}
        for job_id in sorted(left):  # removed meanwhile, which this says
            self.look(job_id)

    def _note(self, job: dict[str, Any]) -> None:
        job_id = job["job_id"]
        if job["status"] in TERMINAL_JOBS:
            del self.open[job_id]
            self.ended[job_id] = job
        elif job["reason"]:
            click.echo(f"{self.open[job_id]} ({short(job_id)}) waits: {reason_of(job)}", err=True)


def goes_on(submitted: list[dict[str, Any]]) -> str:
    """The message after Ctrl-C: the jobs continue, and how to follow or cancel them."""
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
