"""Commands that look: jobs, show, queue (with pause and resume), approvals, logs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from actors.cli.context import Failed, with_config, with_json
from actors.cli.output import ago, duration, name_of, note, plain, print_json, print_table, short, standing

_STATUSES = ("pending", "uploading", "queued", "running", "completed", "failed", "cancelled")
_ENDS = ("completed", "failed", "cancelled")
_SHOWN_FIRST = (
    "job_id", "status", "queue_status", "config_name", "user_id", "org_id", "team_id", "provider", "command",
    "entry_point", "correlation_id", "reason", "setting",
)  # fmt: skip


@click.command()
@click.option("--status", multiple=True, type=click.Choice(_STATUSES), help="Only jobs of this status; repeatable.")
@click.option("--user", help="Only this user's jobs.")
@click.option("--provider", help="Only jobs of this provider.")
@click.option("--before", metavar="JOB", help="Only jobs older than this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@with_json
@with_config
def jobs(
    status: tuple[str, ...], user: str | None, provider: str | None, before: str | None, limit: int, as_json: bool,
    config: str | None,
) -> None:  # fmt: skip
    """List jobs, newest first."""
    from actors.cli.client import Client

    asked: dict[str, Any] = {"limit": limit, "status": list(status)}
    asked |= {k: v for k, v in (("user_id", user), ("provider", provider), ("before", before)) if v is not None}
    found = Client(config).look("api", "jobs", params=asked)
    if as_json:
        print_json(found["jobs"])
        return
    columns = ("JOB", "NAME", "USER", "PROVIDER", "STATUS", "CREATED", "RAN", "")
    rows = [
        (short(job["job_id"]), name_of(job), job["user_id"], job["provider"], standing(job), ago(job["created_at"]),
         duration(job), note(job))
        for job in found["jobs"]
    ]  # fmt: skip
    print_table(columns, rows, "There are no jobs.")
    if found["next"]:
        click.echo(f"more: greenroom jobs --before {found['jobs'][-1]['job_id']}")


@click.command()
@click.argument("job")
@with_json
@with_config
def show(job: str, as_json: bool, config: str | None) -> None:
    """Show all that is known of one JOB, named by its id or by what begins or ends exactly one id."""
    from actors.cli.client import Client

    found = Client(config).look("api", "jobs", job)
    if as_json:
        print_json(found)
        return
    click.echo(f"{name_of(found)}: {standing(found)}")
    rest = [key for key in found if key not in _SHOWN_FIRST]
    for key in (*_SHOWN_FIRST, *rest):
        if found[key] not in (None, "", {}, []):
            click.echo(f"  {key + ':':22}{_shown(found[key])}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return plain(" ".join(map(str, value)))
    if isinstance(value, dict):
        return plain(", ".join(f"{key} {one}" for key, one in value.items() if one is not None))
    return plain(value)


def _with_pages(default: int) -> Callable[[Any], Any]:
    """The options of a list that comes in pages."""
    limit = click.option("--limit", type=click.IntRange(1, 1000), default=default, show_default=True)
    cursor = click.option("--cursor", help="Go on where the page before said so.")
    return lambda command: limit(cursor(command))


def _page(limit: int, cursor: str | None) -> dict[str, Any]:
    return {"limit": limit} | ({} if cursor is None else {"cursor": cursor})


@click.group(invoke_without_command=True)
@_with_pages(1000)
@with_json
@with_config
@click.pass_context
def queue(context: click.Context, limit: int, cursor: str | None, as_json: bool, config: str | None) -> None:
    """Show what waits, in the order in which it would run, why it waits and the setting that changes that."""
    if context.invoked_subcommand is not None:
        return
    from actors.cli.client import Client

    found = Client(config).look("api", "queue", params=_page(limit, cursor))
    print_queue(found, as_json)
    if found["next"] and not as_json:
        click.echo(f"more: greenroom queue --cursor {found['next']}")


def print_queue(found: Any, as_json: bool) -> None:
    """The queue, as a table or as it is."""
    if as_json:
        print_json(found)
        return
    counts = ", ".join(f"{number} {status}" for status, number in found["counts"].items())
    click.echo(f"{found['summary']}. Running {found['running']}; entries: {counts or 'none'}.")
    for provider, why in found["closed_providers"].items():
        click.echo(f"Provider {plain(provider)} is closed: {plain(why)}")
    if found["pruning_held"]:
        click.echo(f"Nothing is removed by its age: {found['pruning_held']}")
    rows = [
        ("" if job["position"] is None else job["position"] + 1, short(job["job_id"]), name_of(job), job["user_id"],
         job["priority"], standing(job), job["reason"], job["setting"])
        for job in found["waiting"]
    ]  # fmt: skip
    print_table(("#", "JOB", "NAME", "USER", "PRIORITY", "STATUS", "WHY", "CHANGED BY"), rows, "Nothing waits.")


@queue.command()
@click.argument("provider")
@click.option("--reason", help="Why; everybody whose job waits for it reads this.")
@with_json
@with_config
def pause(provider: str, reason: str | None, as_json: bool, config: str | None) -> None:
    """Hand nothing to PROVIDER until it is resumed; kept over a restart. What it runs goes on."""
    from actors.cli.client import Client

    body = {"provider": provider} | ({"reason": reason} if reason else {})
    print_queue(Client(config).ask("POST", "api", "queue", "pause", body=body), as_json)


@queue.command()
@click.argument("provider")
@with_json
@with_config
def resume(provider: str, as_json: bool, config: str | None) -> None:
    """Hand jobs to a paused or closed PROVIDER again."""
    from actors.cli.client import Client

    print_queue(Client(config).ask("POST", "api", "queue", "resume", body={"provider": provider}), as_json)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Decided and expired requests, too.")
@_with_pages(100)
@with_json
@with_config
def approvals(everything: bool, limit: int, cursor: str | None, as_json: bool, config: str | None) -> None:
    """List requests that wait for an approval."""
    from actors.cli.client import Client

    asked = _page(limit, cursor) | ({} if everything else {"status": "pending"})
    page = Client(config).look("api", "approvals", params=asked)
    found = page["approvals"]
    if as_json:
        print_json(found)
        return
    rows = [
        (short(one["approval_id"]), short(one["job_id"]), one["status"], one["reason"], one["required_level"],
         ago(one["requested_at"]), one["expires_at"])
        for one in found
    ]  # fmt: skip
    print_table(("ID", "JOB", "STATUS", "REASON", "LEVEL", "ASKED", "EXPIRES"), rows, "Nothing waits for an approval.")
    if page["next"]:
        click.echo(f"more: greenroom approvals {'--all ' if everything else ''}--cursor {page['next']}")
    if any(one["status"] == "pending" for one in found):
        click.echo("greenroom approve ID, greenroom reject ID --reason WHY")


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@with_config
def logs(job: str, follow: bool, config: str | None) -> None:
    """Print what a JOB has written, as it wrote it."""
    from actors.cli.client import Client, NoSupervisor

    out = sys.stdout.buffer
    client = Client(config)
    try:
        if follow:  # refused before the answer begins, where there is nothing to follow
            with client.stream("api", "jobs", job, "logs", params={"limit": 1}):
                pass
        asked = {"follow": "true"} if follow else {}
        with client.stream("api", "jobs", job, "logs", params=asked, silence=None) as answered:
            for piece in answered.iter_bytes():
                out.write(piece)
                out.flush()
        if follow and (status := client.ask("GET", "api", "jobs", job)["status"]) not in _ENDS:
            raise Failed(f"the output could not be followed to its end; the job is {status}")
    except NoSupervisor as missing:
        from actors.cli import offline

        client.say_that_none_runs(missing)
        offline.logs(client.settings, job, out.write)
        out.flush()
