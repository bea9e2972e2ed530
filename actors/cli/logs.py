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
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Output of this attempt.  [default: the newest]")
@with_config
def logs(job: str, follow: bool, attempt: int | None, config: str | None) -> None:
    """Print the output of a JOB, byte for byte.

    With --follow, if a job runs again, the output of the next attempt follows.
    """
    out = sys.stdout.buffer
    client = Client(config)
    only = {} if attempt is None else {"attempt": attempt}
    try:
        if follow:  # refused before the answer begins, where there is nothing to follow
            with client.stream("api", "jobs", job, "logs", params={"limit": 1, **only}):
                pass
        params = {"follow": "true", **only} if follow else only
        with client.stream("api", "jobs", job, "logs", params=params, silence=None) as answer:
            for piece in answer.pieces():
                out.write(piece)
                out.flush()
        if (
            follow
            and attempt is None
            and (status := client.request("GET", "api", "jobs", job)["status"]) not in TERMINAL_JOBS
        ):
            raise Failed(f"the output could not be followed to its end; the job is {status}")
    except NoSupervisor as missing:
        from actors.cli import offline

        client.note_offline(missing)
        offline.logs(client.config, job, out.write, attempt)
        out.flush()
