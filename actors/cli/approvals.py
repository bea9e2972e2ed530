"""Commands that change something, for which they need a supervisor: cancel, retry, settle, approve, limits and more."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.context import BadInput, with_config, with_json
from actors.cli.output import name_of, plain, print_json, print_table, short, standing


def _change(config: str | None, *asked: str, body: Any = None) -> Any:
    from actors.cli.client import Client

    method, *path = asked
    return Client(config).ask(method, *path, body=body)


def _print_job(job: Any, as_json: bool) -> None:
    if as_json:
        print_json(job)
    else:
        click.echo(f"{job['job_id']} {name_of(job)}: {standing(job)}")


def _print_approval(request: Any, as_json: bool) -> None:
    if as_json:
        print_json(request)
    else:
        click.echo(f"{request['approval_id']} of job {short(request['job_id'])}: {request['status']}")


@click.command()
@click.argument("job")
@with_json
@with_config
def cancel(job: str, as_json: bool, config: str | None) -> None:
    """End a JOB: one that waits at once, one that runs by asking its provider until it has ended."""
    _print_job(_change(config, "POST", "api", "jobs", job, "cancel"), as_json)


@click.command()
@click.argument("job")
@with_json
@with_config
def retry(job: str, as_json: bool, config: str | None) -> None:
    """Submit what an ended JOB asked for once more, as a new job."""
    _print_job(_change(config, "POST", "api", "jobs", job, "retry"), as_json)


@click.command()
@click.argument("job")
@click.option("--ran", metavar="HANDLE", help="It runs or ran: the provider's handle, a JSON object.")
@click.option("--not-run", is_flag=True, help="It never ran: it goes back into the queue.")
@click.option("--failed", is_flag=True, help="It is gone: it ends failed.")
@with_json
@with_config
def settle(job: str, ran: str | None, not_run: bool, failed: bool, as_json: bool, config: str | None) -> None:
    """Say what became of an uncertain JOB, of which its provider cannot tell."""
    if (ran is not None) + not_run + failed != 1:
        raise click.UsageError("give one of --ran HANDLE, --not-run and --failed")
    body: dict[str, Any] = {"verdict": "not_run" if not_run else "failed"}
    if ran is not None:
        body = {"verdict": "ran", "handle": _handle(ran)}
    _print_job(_change(config, "POST", "api", "jobs", job, "settle", body=body), as_json)


def _handle(text: str) -> dict[str, Any]:
    import orjson

    try:
        handle = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"--ran: no JSON: {error}") from None
    if not isinstance(handle, dict):
        raise BadInput("""--ran: a handle is a JSON object, such as '{"id": "p1"}'; `show` prints the one known""")
    return handle


@click.command()
@click.argument("job")
@click.argument("priority", metavar="PRIORITY|none")
@with_json
@with_config
def prioritise(job: str, priority: str, as_json: bool, config: str | None) -> None:
    """Override a waiting JOB's priority (0 to 50), or take the override away (none)."""
    if priority != "none" and not priority.isdecimal():
        raise click.BadParameter(f"must be a number from 0 to 50, or none, not {priority!r}", param_hint="PRIORITY")
    override = None if priority == "none" else int(priority)
    _print_job(_change(config, "PUT", "api", "queue", job, "priority", body={"priority_override": override}), as_json)


@click.command()
@click.argument("approval", metavar="ID")
@with_json
@with_config
def approve(approval: str, as_json: bool, config: str | None) -> None:
    """Grant the approval request ID (or that of the job ID)."""
    _print_approval(_change(config, "POST", "api", "approvals", approval, "approve"), as_json)


@click.command()
@click.argument("approval", metavar="ID")
@click.option("--reason", default="", help="Why; kept with the job.")
@with_json
@with_config
def reject(approval: str, reason: str, as_json: bool, config: str | None) -> None:
    """Reject the approval request ID (or that of the job ID): the job is cancelled."""
    _print_approval(_change(config, "POST", "api", "approvals", approval, "reject", body={"reason": reason}), as_json)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go, and what holds it.")
@click.option("--yes", is_flag=True, help="Even while removing is held because the clock may be wrong; ends that.")
@with_json
@with_config
def prune(dry_run: bool, yes: bool, as_json: bool, config: str | None) -> None:
    """Remove now the jobs that ended longer ago than they are kept, with their events and directories."""
    found = _change(config, "POST", "api", "prune", body={"dry_run": dry_run} | ({"yes": True} if yes else {}))
    if as_json:
        print_json(found)
    elif found["before"] is None:
        click.echo("Jobs are kept for ever (retention.days: 0).")
    else:
        kept = f"; {found['kept']} stay, their provider could not forget them" if found["kept"] else ""
        went = "would go" if dry_run else "went"
        click.echo(f"{found['jobs']} jobs that ended before {found['before']} {went}, {found['events']} events{kept}")
    if not as_json and found["held"]:
        click.echo(f"Nothing is removed for now: {found['held']}")


@click.group(invoke_without_command=True)
@with_json
@with_config
@click.pass_context
def limits(context: click.Context, as_json: bool, config: str | None) -> None:
    """Show or change how many jobs may run at once."""
    if context.invoked_subcommand is None:
        _show_limits(as_json, config)


def _show_limits(as_json: bool, config: str | None) -> None:
    from actors.cli.client import Client

    _print_limits(Client(config).look("api", "queue", "limits"), as_json)


@limits.command()
@with_json
@with_config
def show(as_json: bool, config: str | None) -> None:
    """Show the limits that hold; `stored` ones were changed at run time."""
    _show_limits(as_json, config)


@limits.command("set", context_settings={"ignore_unknown_options": True})  # -3 is a value, if a wrong one
@click.argument("name")
@click.argument("value", type=int)
@with_json
@with_config
def set_(name: str, value: int, as_json: bool, config: str | None) -> None:
    """Change the limit NAME (or per_provider.PROVIDER) now, and keep it over restarts until `limits reset`."""
    _print_limits(_change(config, "PUT", "api", "queue", "limits", name, body={"value": value}), as_json)


@limits.command()
@click.argument("names", nargs=-1)
@with_json
@with_config
def reset(names: tuple[str, ...], as_json: bool, config: str | None) -> None:
    """Return to the configured limits: those NAMED, or all."""
    found = None
    for one in names or (None,):
        found = _change(config, "DELETE", "api", "queue", "limits", *(() if one is None else (one,)))
    _print_limits(found, as_json)


def _print_limits(found: Any, as_json: bool) -> None:
    if as_json:
        print_json(found["limits"])
        return
    rows = [(one["name"], plain(one["value"]), one["source"]) for one in found["limits"]]
    print_table(("LIMIT", "VALUE", "FROM"), rows, "There are no limits.")
