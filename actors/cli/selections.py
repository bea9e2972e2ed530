"""Commands that change several jobs: their options, the question before the change, and its result for each job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from actors.cli.client import Client
from actors.cli.exit_statuses import ExitStatus
from actors.cli.options import given, print_warnings
from actors.cli.tables import ending, plain, print_json, print_rows, short
from actors.jobs.statuses import JobStatus

F = TypeVar("F", bound=Callable[..., Any])
_SHOWN, _ASKED = 20, 10
"""Lines about jobs that are printed one by one, and those that are listed before a question."""
_STATUSES = click.Choice([one.value for one in JobStatus])

with_jobs = click.argument("jobs", nargs=-1, metavar="[JOB]...")


def with_selection(command: F) -> F:
    """``--name``, ``--group``, ``--status``, ``--user``, ``--dry-run`` and ``--yes``."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        click.option("--dry-run", is_flag=True, help="Only show which jobs would be changed."),
        click.option("--user", "user_id", help="Select jobs of this user."),
        click.option("--status", multiple=True, type=_STATUSES, help="Select jobs with this status; repeatable."),
        click.option("--group", help="Select jobs of this group."),
        click.option("--name", metavar="GLOB", help="Select jobs by name, such as 'train-*'."),
    ):
        command = option(command)
    return command


def is_one(jobs: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether exactly one job is named, without a selection."""
    return len(jobs) == 1 and not _filters(options) and not options["dry_run"]


def change(
    client: Client, action: str, jobs: Sequence[str], options: Mapping[str, Any], *, as_json: bool, done: str,
    more: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Do ``action`` to several jobs, after asking if a person can be asked.

    ``done``: the word for the change. ``more``: further fields of the request. Exit status 1 if there is no job, or if
    a job could not be changed.
    """

    def send(chosen: Mapping[str, Any], *, dry_run: bool = False) -> Any:
        body = {**chosen, **(more or {}), **({"dry_run": True} if dry_run else {})}
        return client.request("POST", "api", "jobs", action, body=body, params=params)

    chosen = _chosen(jobs, options)
    can_ask = sys.stdin.isatty()
    if options["dry_run"]:
        found = send(chosen, dry_run=True)
        print_json(found) if as_json else _print_preview(found, done)
        return
    if not options["yes"]:
        if can_ask:
            chosen = _confirmed(send(chosen, dry_run=True), done)
        elif _filters(options):
            message = "a selection needs --yes where nobody can be asked; --dry-run shows which jobs it has"
            raise click.UsageError(message)
    found = _whole(send, chosen)
    print_warnings(found["results"])
    print_json(found) if as_json else _print_outcome(found, done)
    if found["failed"]:
        click.get_current_context().exit(ExitStatus.FAILED)


def _filters(options: Mapping[str, Any]) -> dict[str, Any]:
    return given({name: options[name] for name in ("name", "group", "status", "user_id")})


def _chosen(jobs: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    filters = _filters(options)
    if jobs and filters:
        raise click.UsageError("give JOBs, or a selection (--name, --group, --status, --user), not both")
    if not jobs and not filters:
        raise click.UsageError("say which: JOBs, or a selection by --name, --group, --status or --user")
    return {"jobs": list(jobs)} if jobs else filters


def _confirmed(seen: Mapping[str, Any], done: str) -> dict[str, Any]:
    """The jobs that were shown and confirmed, without others that match the selection since."""
    if seen["selected"] > 1:
        for one in seen["results"][:_ASKED]:
            click.echo(f"  {id_and_name(one)} ({plain(one['user_id'])}): {one['status']}", err=True)
        if (rest := seen["selected"] - _ASKED) > 0:
            click.echo(f"  and {rest} more", err=True)
        try:
            click.confirm(f"{seen['selected']} jobs will be {done}{_left_out(seen)}. Go on?", abort=True, err=True)
        except click.Abort as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # which click takes for a "no"
                raise KeyboardInterrupt from None
            raise
    return {"jobs": seen["left"]}


def _whole(send: Callable[[Mapping[str, Any]], Any], chosen: Mapping[str, Any]) -> Any:
    """The result for all jobs: a request is answered in time and says which jobs are left, so it is repeated for
    those.
    """
    found = send(chosen)
    while found["left"]:
        click.echo(f"{found['selected'] - len(found['left'])} of {found['selected']} jobs; going on ...", err=True)
        further = send({"jobs": found["left"]})
        for name in ("done", "failed", "freed_bytes"):
            found[name] += further[name]
        found["results"] += further["results"]
        found["left"] = further["left"]
    return found


def _print_preview(found: Mapping[str, Any], done: str) -> None:
    print_rows(found["results"], False, "", {
        "JOB": ending("job_id"), "NAME": lambda one: one["name"] or short(one["job_id"]), "USER": "user_id",
        "STATUS": "status",
    })  # fmt: skip
    number = found["selected"] - found["failed"]
    for one in found["results"][: min(found["failed"], _SHOWN)]:
        click.echo(f"greenroom: {one['job_id']}: {plain(one['problem'])}", err=True)
    click.echo(f"{number} {'job' if number == 1 else 'jobs'} would be {done}{_left_out(found)}.")


def _left_out(found: Mapping[str, Any]) -> str:
    return f"; {found['left_out']} left out: submitted again before" if found["left_out"] else ""


def _print_outcome(found: Mapping[str, Any], done: str) -> None:
    for one in found["results"][:_SHOWN]:
        if one["problem"] is not None:
            click.echo(f"greenroom: {plain(one['problem'])}", err=True)
        else:
            click.echo(f"{id_and_name(one)}: {_what(one, done)}")
    if len(found["results"]) > _SHOWN:
        click.echo(f"and {found['done'] + found['failed'] - _SHOWN} more")
    freed = f", {size(found['freed_bytes'])} freed" if found["freed_bytes"] else ""
    failed = f"; with {found['failed']} it was not possible" if found["failed"] else ""
    click.echo(f"{found['done']} {'job' if found['done'] == 1 else 'jobs'} {done}{freed}{failed}{_left_out(found)}.")


def id_and_name(one: Mapping[str, Any]) -> str:
    """The id of a job, followed by its name where it has one."""
    return f"{one['job_id']} {plain(one['name'])}" if one["name"] else str(one["job_id"])


def _what(one: Mapping[str, Any], done: str) -> str:
    if one["new_job_id"] is not None:
        return f"{done} as {one['new_job_id']}"
    if done == "cancelled" and one["status"] != "cancelled":
        return f"{one['status']}, asked to end"
    return done if one["freed_bytes"] is None else f"{done}, {size(one['freed_bytes'])} freed"


def size(number: float) -> str:
    """Bytes in words: ``3.2 MiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
