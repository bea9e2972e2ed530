"""Commands about the queue: queue, queue pause, queue resume, prioritise, limits."""

from __future__ import annotations

from typing import Any

import click

from actors.cli import selections
from actors.cli.address import program
from actors.cli.client import Client
from actors.cli.job_text import name_of, reason_of, span_text, standing
from actors.cli.options import given, with_client, with_pages
from actors.cli.queue_text import counts_text, headline, running_text
from actors.cli.tables import ending, plain, print_answer, print_rows


@click.group(invoke_without_command=True)
@with_pages(1000)
@with_client
def queue(client: Client, as_json: bool, **page: Any) -> None:
    """Show waiting jobs in the order in which they would start.

    For each it says why the job waits, and which setting would change that.
    """
    found = client.read("api", "queue", params=given(page))
    print_answer(found, as_json, _print_queue)
    if found["next"] and not as_json:
        click.echo(f"more: {program()} queue --cursor {found['next']}")


def _print_queue(found: Any) -> None:
    counts = counts_text({status: number for status, number in found["counts"].items() if status != "running"})
    _print_paused(found)
    click.echo(f"{headline(found)}. {running_text(found)}{counts and f'; {counts}'}.")
    _print_closed(found)
    for kept in found["reservations"]:
        click.echo(f"Provider {plain(kept['provider'])}: {plain(kept['text'])}")
    if found["pruning_held"]:
        click.echo(f"Pruning is on hold: {found['pruning_held']}")
    print_rows(found["waiting"], False, "No jobs are waiting.", {
        "#": lambda job: "" if job["position"] is None else job["position"] + 1, "JOB": ending("job_id"),
        "NAME": name_of, "USER": "user_id", "PRIORITY": "priority", "STATUS": standing,
        "STARTS": lambda job: span_text(job["estimated_start"]), "WHY": reason_of,
        "CHANGE WITH": "setting",
    })  # fmt: skip
    if found["at_providers"]:
        click.echo("Waiting at their providers:")
        print_rows(found["at_providers"], False, "", {
            "JOB": ending("job_id"), "NAME": name_of, "USER": "user_id", "STATUS": standing, "WHY": reason_of,
        })  # fmt: skip


_with_all = click.option("--all", "everything", is_flag=True, help="The whole queue; this is the default.")


def _check_one(provider: str | None, everything: bool) -> None:
    if provider is not None and everything:
        raise click.UsageError("give PROVIDER or --all, not both")


@queue.command()
@click.argument("provider", required=False)
@_with_all
@click.option("--reason", help="Reason, which is shown for every waiting job.")
@with_client
def pause(client: Client, as_json: bool, provider: str | None, everything: bool, reason: str | None) -> None:
    """Stop submitting jobs to PROVIDER or, without it, to all.

    The pause lasts until `queue resume`, also over restarts. Jobs that the provider already has continue.
    """
    _check_one(provider, everything)
    body = given({"provider": provider, "reason": reason or None}) or {}
    found = client.request("POST", "api", "queue", "pause", body=body)
    print_answer(found, as_json, lambda queue: _print_changed(queue, provider, "paused"))


def _print_changed(found: Any, provider: str | None, done: str) -> None:
    click.echo(f"{'queue' if provider is None else f'provider {plain(provider)}'} {done}")
    if provider is not None:
        _print_paused(found)
    _print_closed(found)


def _print_paused(found: Any) -> None:
    if found["paused"]:
        click.echo(f"{_sentence(found['paused'])} ({program()} queue resume --all)")


def _print_closed(found: Any) -> None:
    for provider, why in found["closed_providers"].items():
        click.echo(f"{_sentence(why)} ({program()} queue resume {plain(provider)})")


def _sentence(why: str) -> str:
    return plain(why[:1].upper() + why[1:])


@queue.command()
@click.argument("provider", required=False)
@_with_all
@with_client
def resume(client: Client, as_json: bool, provider: str | None, everything: bool) -> None:
    """Submit jobs to a paused or closed PROVIDER again.

    Without PROVIDER: end the pause of the whole queue.
    """
    _check_one(provider, everything)
    body = given({"provider": provider}) or {}
    found = client.request("POST", "api", "queue", "resume", body=body)
    print_answer(found, as_json, lambda queue: _print_changed(queue, provider, "resumed"))


@click.command()
@selections.with_jobs
@click.argument("priority", metavar="PRIORITY|none")
@selections.with_selection
@with_client
def prioritise(client: Client, as_json: bool, jobs: tuple[str, ...], priority: str, **options: Any) -> None:
    """Set the priority of JOBs that wait, or of a selection.

    It is a number from 0 to 50; `none` returns to the priority that follows from the user's level.
    """
    if priority != "none" and not priority.isdecimal():
        raise click.BadParameter(f"must be a number from 0 to 50, or none, not {priority!r}", param_hint="PRIORITY")
    body = {"priority_override": None if priority == "none" else int(priority)}
    if selections.is_one(jobs, options):
        print_answer(client.request("PUT", "api", "queue", *jobs, "priority", body=body), as_json, _print_priority)
    else:
        selections.change(client, "prioritise", jobs, options, as_json=as_json, done="prioritised", more=body)


def _print_priority(job: Any) -> None:
    click.echo(f"{job['job_id']} {name_of(job)}: {standing(job)}, priority {job['priority']}")


@click.group(invoke_without_command=True)
@with_client
def limits(client: Client, as_json: bool) -> None:
    """Show or change how many jobs may run at once."""
    _print_limits(client.read("api", "queue", "limits"), as_json)


@limits.command()
@with_client
def show(client: Client, as_json: bool) -> None:
    """Show the limits in effect and where each comes from.

    A limit is a default, `configured`, or `stored`: changed at run time, until `limits reset`.
    """
    _print_limits(client.read("api", "queue", "limits"), as_json)


@limits.command("set", context_settings={"ignore_unknown_options": True})  # -3 is a value, if a wrong one
@click.argument("name")
@click.argument("value", type=int)
@with_client
def set_(client: Client, as_json: bool, name: str, value: int) -> None:
    """Change the limit NAME now, until `limits reset`.

    NAME is one that `limits show` prints, or per_provider.PROVIDER. The change is kept over restarts.
    """
    _print_limits(client.request("PUT", "api", "queue", "limits", name, body={"value": value}), as_json)


@limits.command()
@click.argument("names", nargs=-1)
@with_client
def reset(client: Client, as_json: bool, names: tuple[str, ...]) -> None:
    """Return the limits NAMES, or all limits, to their configured values."""
    found = None
    for path in [[name] for name in names] or [[]]:
        found = client.request("DELETE", "api", "queue", "limits", *path)
    _print_limits(found, as_json)


def _print_limits(found: Any, as_json: bool) -> None:
    columns = {"LIMIT": "name", "VALUE": "value", "FROM": "source"}
    print_rows(found["limits"], as_json, "There are no limits.", columns)
