"""``prune``: remove ended jobs older than the retention, now."""

from __future__ import annotations

import click

from actors.cli.client import Client
from actors.cli.job_text import jobs_text
from actors.cli.options import with_client
from actors.cli.tables import print_json

_SECONDS = 2
"""Seconds of one request: so it is answered in time, and progress can be shown."""


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be removed, and what prevents it.")
@click.option("--yes", is_flag=True, help="Remove even if pruning is on hold because the clock may be wrong.")
@with_client
def prune(client: Client, as_json: bool, dry_run: bool, yes: bool) -> None:
    """Remove ended jobs now that are older than the retention.

    Their events and directories are removed with them. --yes also ends the hold.
    """
    body = {"dry_run": dry_run, "seconds": _SECONDS} | ({"yes": True} if yes else {})
    found = client.request("POST", "api", "prune", body=body)
    while found["next"] is not None:
        click.echo(f"{jobs_text(found['jobs'])} removed, {found['events']} events; going on ...", err=True)
        more = client.request("POST", "api", "prune", body={**body, "after": found["next"]})
        more |= {name: found[name] + more[name] for name in ("jobs", "events", "kept")}
        found = more | {"oldest": found["oldest"] or more["oldest"], "before": found["before"]}
    if as_json:
        print_json(found)
        return
    if found["before"] is None:
        click.echo("Jobs are kept forever (retention.days: 0).")
    else:
        kept = f"; {found['kept']} are kept, their provider could not delete them" if found["kept"] else ""
        done = "would be removed" if dry_run else "removed"
        click.echo(
            f"{jobs_text(found['jobs'])} that ended before {found['before']} {done}, {found['events']} events{kept}"
        )
    if found["held"]:
        click.echo(f"Pruning is on hold: {found['held']}")
