"""``logs``: the output of a job."""

from __future__ import annotations

import sys

import click

from actors.cli.client import Client, NoSupervisor
from actors.cli.context import Failed
from actors.cli.options import with_config
from actors.jobs.statuses import TERMINAL_JOBS


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Continue until the job ends.")
@with_config
def logs(job: str, follow: bool, config: str | None) -> None:
    """Print the output of a JOB, byte for byte."""
    out = sys.stdout.buffer
    client = Client(config)
    try:
        if follow:  # refused before the answer begins, where there is nothing to follow
            with client.stream("api", "jobs", job, "logs", params={"limit": 1}):
                pass
        params = {"follow": "true"} if follow else {}
        with client.stream("api", "jobs", job, "logs", params=params, silence=None) as answer:
            for piece in answer.pieces():
                out.write(piece)
                out.flush()
        if follow and (status := client.request("GET", "api", "jobs", job)["status"]) not in TERMINAL_JOBS:
            raise Failed(f"the output could not be followed to its end; the job is {status}")
    except NoSupervisor as missing:
        from actors.cli import offline

        client.note_offline(missing)
        newest = offline.logs(client.config, job, out.write)
        out.flush()
        client.note_newest(newest)
