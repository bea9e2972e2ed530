"""``logs``: the output of a job."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote

import click

from actors.cli.address import NoSupervisor
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.options import given, with_config
from actors.cli.tables import plain
from actors.jobs.statuses import TERMINAL_JOBS

_PAGE_BYTES = 65_536
"""Bytes of the first page of an output that is followed over the network."""


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Continue until the job ends.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Begin with the last N lines.")
@click.option("--since", metavar="WHEN", help="Begin with output from then on: a time, 22:00, or an age such as 10m.")
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Output of this attempt.  [default: the newest]")
@with_config
def logs(job: str, follow: bool, tail: int | None, since: str | None, attempt: int | None, config: str | None) -> None:
    """Print the output of a JOB, byte for byte.

    --since prints all output since that time, and perhaps some from just before it: a second, or up to a minute in jobs
    that run for hours. With --follow, if a job runs again, the output of the next attempt follows; over the network it
    continues after a lost connection.
    """
    out = sys.stdout.buffer
    client = Client(config)
    begin = _beginning(tail, since) | given({"attempt": attempt})
    if follow and client.supervisor.is_network:
        _follow_over_network(client, job, begin)
        return
    try:
        if follow:  # refused before the answer begins, where there is nothing to follow
            job = client.request("GET", "api", "jobs", job)["job_id"]  # another job may get this name meanwhile
            with client.stream("api", "jobs", job, "logs", params={"limit": 1, **begin}):
                pass
        params = {**begin, "follow": "true"} if follow else begin
        with client.stream("api", "jobs", job, "logs", params=params, silence=None) as answer:
            for piece in answer.pieces():
                out.write(piece)
                out.flush()
        if follow:
            _refuse_unended(client, job, attempt)
    except NoSupervisor as missing:
        from actors.cli import offline

        client.note_offline(missing)
        newest = offline.logs(client.config, job, out.write, begin)
        out.flush()
        client.note_newest(newest)


def _follow_over_network(client: Client, job: str, begin: dict[str, Any]) -> None:
    """Print output until the job ends, as events: their ids say where to continue after a lost connection."""
    from base64 import b64decode

    from actors.cli.event_stream import Patience, events

    def write(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    found = client.request("GET", "api", "jobs", job)
    job_id, has_ended = found["job_id"], found["status"] in TERMINAL_JOBS
    with client.stream("api", "jobs", job_id, "logs", params={"limit": _PAGE_BYTES, **begin}) as answer:
        for piece in answer.pieces():
            write(piece)
        cursor = answer.header("x-next-cursor")
    if cursor is None and has_ended:  # there is no output, or none since then
        return
    params = given({"cursor": cursor and unquote(cursor), "attempt": begin.get("attempt"), "encoding": "base64"})
    path = ("api", "jobs", job_id, "logs", "stream")
    for kind, event in events(client, params, Patience(client), path=path, resume="cursor"):
        if kind == "output":
            write(b64decode(event["base64"]))
        elif kind == "notice":
            write(f"\n[{plain(event['text'])}]\n".encode())
        elif kind == "unreadable":
            write(f"\n[{plain(event['detail'])}]\n".encode())
            _refuse_unended(client, job_id, begin.get("attempt"))
            return
        elif kind == "end":
            return
    raise Failed("the supervisor has stopped; the output was not followed to its end")


def _refuse_unended(client: Client, job: str, attempt: int | None) -> None:
    """Where all attempts are followed, their output ends with the job. Raises :class:`Failed` where it did not."""
    if attempt is None and (status := client.request("GET", "api", "jobs", job)["status"]) not in TERMINAL_JOBS:
        raise Failed(f"the output could not be followed to its end; the job is {status}")


def _beginning(tail: int | None, since: str | None) -> dict[str, Any]:
    """The parameters that say where to begin."""
    if since is not None:
        from actors.cli.moments import moment

        since = moment(since, "--since")
    return given({"tail": tail, "since": since})
