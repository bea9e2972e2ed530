"""Commands about jobs: jobs, show, cancel, retry, rm, settle."""

from __future__ import annotations

from typing import Any

import click

from actors.cli import selections
from actors.cli.client import Client
from actors.cli.context import BadInput
from actors.cli.job_text import (
    ago,
    duration,
    gpus_of,
    name_of,
    note,
    standing,
)
from actors.cli.options import given, next_page, print_warnings, unchecked, with_client
from actors.cli.tables import ending, plain, print_answer, print_rows
from actors.jobs.statuses import JobStatus

_MOST_ROWS = 1000


@click.command()
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([one.value for one in JobStatus]),
    help="Jobs with this status only; repeatable.",
)
@click.option("--user", "user_id", help="Jobs of this user only.")
@click.option("--provider", help="Jobs of this provider only.")
@click.option("--org", "org_id", help="Jobs of this organisation only.")
@click.option("--group", help="Jobs of this group only.")
@click.option("--name", metavar="GLOB", help="Jobs whose name fits, such as 'train-*'.")
@click.option("--since", metavar="WHEN", help="Submitted at that time or later: a time, 22:00, or an age such as 2h.")
@click.option("--until", metavar="WHEN", help="Submitted before that time.")
@click.option("--before", metavar="JOB", help="Only jobs older than this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Rows per page.")
@click.option("--all", "everything", is_flag=True, help="All rows, however many.")
@with_client
def jobs(client: Client, as_json: bool, everything: bool, **filters: Any) -> None:
    """List jobs, newest first."""
    if filters["since"] or filters["until"]:
        from actors.cli.moments import moment

        filters |= {name: moment(filters[name], f"--{name}") for name in ("since", "until")}
    if everything:
        params = given({**filters, "limit": _MOST_ROWS})
        found: Any = {"jobs": client.all_rows("jobs", "api", "jobs", params=params, of_store=True), "next": None}
    else:
        found = client.read("api", "jobs", params=given(filters))
    gpus = {"GPU": gpus_of} if any(map(gpus_of, found["jobs"])) else {}
    print_rows(found["jobs"], as_json, "There are no jobs.", {
        "JOB": ending("job_id"), "NAME": name_of, "USER": "user_id", "PROVIDER": "provider", **gpus, "STATUS": standing,
        "CREATED": lambda job: ago(job["created_at"]), "RAN": duration, "": note,
    })  # fmt: skip
    if found["next"] and not as_json:
        click.echo(next_page("jobs", filters, before=found["jobs"][-1]["job_id"]))


@click.command()
@click.argument("job")
@with_client
def show(client: Client, as_json: bool, job: str) -> None:
    """Show everything about one JOB.

    JOB is its ID, its name, or the beginning or end (6 characters or more) of its ID. If several jobs have the name,
    the newest is shown; your own jobs come first.
    """
    from actors.cli.details import print_details

    found = client.read("api", "jobs", job)
    print_answer(found, as_json, print_details)
    if found["progress"] and not as_json:
        from actors.cli.series import print_curves_of  # seldom needed

        print_curves_of(client, found["job_id"])


@click.command()
@selections.with_jobs
@selections.with_selection
@with_client
def cancel(client: Client, as_json: bool, jobs: tuple[str, ...], **options: Any) -> None:
    """Cancel JOBs, or all jobs of a selection that have not ended.

    A waiting job ends at once. If a provider has the job, the provider is asked to stop it, repeatedly until it has
    ended.
    """
    if selections.is_one(jobs, options):
        print_answer(client.request("POST", "api", "jobs", *jobs, "cancel"), as_json, print_job)
    else:
        selections.change(client, "cancel", jobs, options, as_json=as_json, done="cancelled")


@click.command()
@selections.with_jobs
@selections.with_selection
@click.option("--with-dependants", is_flag=True, help="Also the jobs that were cancelled because JOB did not complete.")
@click.option("--no-check", is_flag=True, help="Submit JOBs even if their directory or program is not found.")
@with_client
def retry(
    client: Client, as_json: bool, jobs: tuple[str, ...], with_dependants: bool, no_check: bool, **options: Any
) -> None:
    """Submit ended JOBs, or those of a selection, again as new jobs.

    A selection takes those that failed or were cancelled.
    """
    if selections.is_one(jobs, options):
        body = {"with_dependants": True} if with_dependants else None
        again = client.request("POST", "api", "jobs", *jobs, "retry", params=unchecked(no_check), body=body)
        print_warnings([again])
        print_answer(again, as_json, _print_retried)
    elif with_dependants:
        raise click.UsageError("--with-dependants goes with one JOB")
    else:
        unless = unchecked(no_check)
        selections.change(client, "retry", jobs, options, as_json=as_json, done="submitted again", params=unless)


def _print_retried(job: Any) -> None:
    print_job(job)
    if others := job["also_submitted"]:
        click.echo(f"and {len(others)} {'job that waits' if len(others) == 1 else 'jobs that wait'} for it")


@click.command()
@selections.with_jobs
@selections.with_selection
@with_client
def rm(client: Client, as_json: bool, jobs: tuple[str, ...], **options: Any) -> None:
    """Remove ended JOBs, or all jobs of a selection that have ended.

    Their directories, output, events and idempotency keys are deleted with them. A job that another one waits for, or
    whose output is being copied, is not removed.
    """
    if selections.is_one(jobs, options):
        print_answer(client.request("DELETE", "api", "jobs", *jobs), as_json, _print_removed)
    else:
        selections.change(client, "remove", jobs, options, as_json=as_json, done="removed")


def _print_removed(job: Any) -> None:
    size = "its directory" if job["freed_bytes"] is None else selections.size(job["freed_bytes"])
    keys = f", {job['keys']} idempotency keys" if job["keys"] else ""
    click.echo(f"{selections.id_and_name(job)}: removed, {size} freed, {job['events']} events{keys}")
    if job["left_at"] is not None:
        click.echo(
            f"provider {plain(job['left_at'])} is not configured: what it keeps of the job is still there", err=True
        )


@click.command()
@selections.with_jobs
@selections.with_selection
@click.option("--ran", metavar="HANDLE", help="It runs or ran: the provider's handle for it, a JSON object.")
@click.option("--not-run", is_flag=True, help="It never ran: it returns to the queue.")
@click.option("--failed", is_flag=True, help="It is lost: it ends as failed.")
@with_client
def settle(
    client: Client, as_json: bool, jobs: tuple[str, ...], ran: str | None, not_run: bool, failed: bool, **options: Any
) -> None:
    """Record how uncertain JOBs, or those of a selection, ended.

    A job is uncertain while its provider cannot answer whether it runs.
    """
    if (ran is not None) + not_run + failed != 1:
        raise click.UsageError("give one of --ran HANDLE, --not-run and --failed")
    body: dict[str, Any] = {"verdict": "not_run" if not_run else "failed"}
    if selections.is_one(jobs, options):
        if ran is not None:
            body = {"verdict": "ran", "handle": _handle(ran)}
        print_answer(client.request("POST", "api", "jobs", *jobs, "settle", body=body), as_json, print_job)
    elif ran is not None:
        raise click.UsageError("--ran goes with one JOB: a handle is of one")
    else:
        selections.change(client, "settle", jobs, options, as_json=as_json, done="settled", more=body)


def _handle(text: str) -> dict[str, Any]:
    import orjson

    try:
        handle = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"--ran: is not JSON: {error}") from None
    if not isinstance(handle, dict):
        raise BadInput("""--ran: a handle is a JSON object, such as '{"id": "p1"}'; `show` prints the known one""")
    return handle


def print_job(job: Any) -> None:
    """A job in one line."""
    click.echo(f"{job['job_id']} {name_of(job)}: {standing(job)}")
