"""Commands about jobs: jobs, show, cancel, retry, settle."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.client import Client
from actors.cli.context import BadInput
from actors.cli.job_text import ago, duration, name_of, note, standing
from actors.cli.options import given, with_client
from actors.cli.tables import ending, plain, print_answer, print_rows
from actors.jobs.statuses import JobStatus

_SHOWN_FIRST = (
    "job_id", "status", "queue_status", "config_name", "user_id", "org_id", "team_id", "provider", "command",
    "entry_point", "correlation_id", "reason", "setting",
)  # fmt: skip


@click.command()
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([one.value for one in JobStatus]),
    help="Jobs with this status only; repeatable.",
)
@click.option("--user", "user_id", help="Jobs of this user only.")
@click.option("--provider", help="Jobs of this provider only.")
@click.option("--before", metavar="JOB", help="Jobs older than this one only: the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Rows per page.")
@with_client
def jobs(client: Client, as_json: bool, **filters: Any) -> None:
    """List jobs, newest first."""
    found = client.read("api", "jobs", params=given(filters))
    print_rows(found["jobs"], as_json, "There are no jobs.", {
        "JOB": ending("job_id"), "NAME": name_of, "USER": "user_id", "PROVIDER": "provider", "STATUS": standing,
        "CREATED": lambda job: ago(job["created_at"]), "RAN": duration, "": note,
    })  # fmt: skip
    if found["next"] and not as_json:
        click.echo(f"more: greenroom jobs --before {found['jobs'][-1]['job_id']}")


@click.command()
@click.argument("job")
@with_client
def show(client: Client, as_json: bool, job: str) -> None:
    """Show everything about one JOB.

    JOB is its ID, or the beginning or the end of exactly one ID.
    """
    print_answer(client.read("api", "jobs", job), as_json, _print_details)


def _print_details(job: Any) -> None:
    click.echo(f"{name_of(job)}: {standing(job)}")
    rest = [key for key in job if key not in _SHOWN_FIRST]
    for key in (*_SHOWN_FIRST, *rest):
        if key == "notifications":
            _print_notifications(job[key])
        elif job[key] not in (None, "", {}, []):
            click.echo(f"  {key + ':':22}{_on_one_line(job[key])}")


def _print_notifications(found: list[dict[str, Any]] | None) -> None:
    """A line for each: to which target, what, and what became of it."""
    for one in found or ():
        why = f": {one['last_error']}" if one["last_error"] else ""
        tries = f" after {one['tries']} tries" if one["tries"] > 1 else ""
        text = plain(f"{one['type']} to {one['target']}, {one['state']}{tries}{why}")
        click.echo(f"  {'notification:':22}{text}")


def _on_one_line(value: Any) -> str:
    if isinstance(value, list):
        return plain(" ".join(map(str, value)))
    if isinstance(value, dict):
        return plain(", ".join(f"{key} {one}" for key, one in value.items() if one is not None))
    return plain(value)


@click.command()
@click.argument("job")
@with_client
def cancel(client: Client, as_json: bool, job: str) -> None:
    """Cancel a JOB.

    A job that waits ends at once. If it was submitted to its provider, the provider is asked to stop it until it has
    ended.
    """
    print_answer(client.request("POST", "api", "jobs", job, "cancel"), as_json, print_job)


@click.command()
@click.argument("job")
@with_client
def retry(client: Client, as_json: bool, job: str) -> None:
    """Submit an ended JOB again, as a new job."""
    print_answer(client.request("POST", "api", "jobs", job, "retry"), as_json, print_job)


@click.command()
@click.argument("job")
@click.option("--ran", metavar="HANDLE", help="It runs or ran: the provider's handle for it, a JSON object.")
@click.option("--not-run", is_flag=True, help="It never ran: it returns to the queue.")
@click.option("--failed", is_flag=True, help="It is lost: it ends as failed.")
@with_client
def settle(client: Client, as_json: bool, job: str, ran: str | None, not_run: bool, failed: bool) -> None:
    """Record what became of an uncertain JOB.

    A job is uncertain while its provider cannot answer whether it runs.
    """
    if (ran is not None) + not_run + failed != 1:
        raise click.UsageError("give one of --ran HANDLE, --not-run and --failed")
    body: dict[str, Any] = {"verdict": "not_run" if not_run else "failed"}
    if ran is not None:
        body = {"verdict": "ran", "handle": _handle(ran)}
    print_answer(client.request("POST", "api", "jobs", job, "settle", body=body), as_json, print_job)


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
