"""``submit``: one job from arguments, a sweep, or many jobs from a file."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from actors.cli.address import program
from actors.cli.client import MANY_SECONDS, WAIT_SECONDS, Client
from actors.cli.context import BadInput, Failed, os_user
from actors.cli.job_text import accuracy_and_loss, clock, duration, how_many, name_of, note, standing
from actors.cli.options import DURATION, FINITE, SIZE, given, print_warnings, unchecked, with_client
from actors.cli.tables import ending, print_json, print_rows, short

_MOST_ROWS = 200


class _Submit(click.Command):
    """A command that suggests the missing ``--`` before a program that has options of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments as every command does."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            from actors.cli.double_dash import corrected

            if (better := corrected(self, typed, unknown.option_name)) is None:
                raise
            raise click.UsageError(f"put -- before the program: {better}", ctx) from None


@click.command(cls=_Submit)
@click.argument("command", nargs=-1, metavar="[-- ARGV...]", type=click.UNPROCESSED)
@click.option("--provider", help="Provider that runs the job.  [default: local]")
@click.option("--user", "user_id", help="User the job belongs to.  [default: you]")
@click.option("--org", "org_id", help="Organisation of the user.")
@click.option("--team", "team_id", help="Team of the user.")
@click.option("--level", "user_levels", multiple=True, help="Level: viewer, researcher, lead or admin; repeatable.")
@click.option("--priority", "priority_override", type=int, help="Priority, 0 to 50.  [default: by level]")
@click.option("--name", "config_name", help="Name of the job.")
@click.option("--cost", "estimated_cost", type=FINITE, metavar="USD", help="Estimated cost.")
@click.option("--key", "idempotency_key", help="Idempotency key: submitting it again within 24 h returns the same job.")
@click.option("--cpus", type=int, help="CPU slots.  [default: 1]")
@click.option("--gpus", type=int, help="GPU slots.  [default: 0]")
@click.option("--memory", type=SIZE, help="Memory, such as 8GiB, or a number of bytes.")
@click.option("--cwd", type=click.Path(file_okay=False), help="Working directory.  [default: the current one]")
@click.option(
    "--env", multiple=True, type=click.UNPROCESSED, metavar="K=V", help="Set an environment variable; repeatable."
)
@click.option(
    "--env-from", multiple=True, metavar="NAME|PATTERN|all", help="Also pass these variables of yours; repeatable."
)
@click.option("--entry-point", help="Configured entry point to run instead of ARGV; --set gives its parameters.")
@click.option(
    "--spec", type=click.Path(allow_dash=True), metavar="FILE|-", help="Options of the provider, as YAML or JSON."
)
@click.option("--set", "assigned", multiple=True, metavar="K=V", help="Set one value of the spec; repeatable.")
@click.option("--hardware", "hardware_type", metavar="TYPE", help="Hardware type, for approval rules.")
@click.option(
    "--needs-approval", "requires_approval", metavar="WHY", help="Require an approval; WHY is shown to the approver."
)
@click.option("--max-attempts", type=int, help="How often to try to submit it to the provider.  [default: 3]")
@click.option("--notify", multiple=True, metavar="NAME", help="Configured target to send notifications to; repeatable.")
@click.option("--max-runtime", type=DURATION, help="End the job after this time, such as 90s, 15m or 1d12h.")
@click.option("--group", help="Group that the job belongs to.")
@click.option(
    "--sweep", "swept", multiple=True, type=click.UNPROCESSED, metavar="NAME=V,V|A..B",
    help="A job for each combination of these values, where {NAME} is filled in; repeatable.",
)  # fmt: skip
@click.option("--rerun", type=int, metavar="N", help="Run it again up to N times if it is interrupted.")
@click.option(
    "--rerun-on",
    metavar="LIST",
    help="After which ends it runs again: failed, timed_out, exit:75.  [default: interrupted]",
)
@click.option("--rerun-delay", type=DURATION, help="Wait before the first rerun, such as 2m.  [default: 30s]")
@click.option("--after", multiple=True, metavar="JOB|group:G", help="Wait for this job, or for a group; repeatable.")
@click.option(
    "--after-mode",
    type=click.Choice(["ok", "ended"]),
    help="ok: only if they completed; ended: however they ended.  [default: ok]",
)
@click.option("--start-after", metavar="WHEN", help="Earliest start: 22:00, +2h, or 2026-01-31T22:00:00Z.")
@click.option(
    "--file", type=click.Path(dir_okay=False), help="Submit the jobs of this file (- is standard input), all or none."
)
@click.option("--again", "again", flag_value="all", help="With --file: submit earlier jobs again, too.")
@click.option("--retry-failed", "again", flag_value="failed", help="With --file: submit failed jobs again.")
@click.option("--no-check", is_flag=True, help="Submit it even if its directory or program is not found.")
@click.option("--wait", is_flag=True, help="Wait until the job ends, and exit with its exit status.")
@with_client
def submit(
    client: Client,
    as_json: bool,
    command: tuple[str, ...],
    file: str | None,
    again: str | None,
    no_check: bool,
    wait: bool,
    **options: Any,
) -> None:
    """Submit a job: a program and its arguments, after --.

    The program is started directly, not by a shell. Example: greenroom submit --gpus 1 -- python train.py --lr 0.1
    """
    several = file is not None or bool(options["swept"])
    params = unchecked(no_check)
    if file is None:
        if again is not None:
            raise click.UsageError("--again and --retry-failed are about the jobs of a file: give --file")
        body = _from_options(command, **options, inherits=client.inherits())
        found = _submitted(client, params, body)
    elif command or given(options):
        raise click.UsageError(
            "--file cannot be combined with options of a job, only with --wait, --no-check and --json"
        )
    else:
        from actors.cli.submit_file import submit_file

        found = submit_file(client, file, again, params)
    print_warnings(found)
    if wait:
        from actors.cli.waiting import exit_status, goes_on, wait_for

        try:
            ended = wait_for(client, found)
        except KeyboardInterrupt:
            click.echo(goes_on(found), err=True)
            raise
        found = [ended[job["job_id"]] | {"created": job["created"]} for job in found]
    if as_json:
        print_json(found if several else found[0])
    else:
        _print(found, wait, several)
    if wait and (status := max(map(exit_status, found))):
        raise click.exceptions.Exit(status)


def _submitted(client: Client, params: dict[str, str], body: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer to one request, which is a list if the request has a matrix."""
    seconds = MANY_SECONDS if "matrix" in body else WAIT_SECONDS
    try:
        found = client.request("POST", "api", "jobs", params=params, body=body, seconds=seconds)
    except Failed as refused:
        if not client.supervisor.is_own and refused.message.startswith("command:"):
            instead = (
                f"{program()} submit --entry-point NAME --set KEY=VALUE (the supervisor's configuration has the names)"
            )
            raise type(refused)(f"{refused.message}\n{instead}") from None
        raise
    return found if "matrix" in body else [found]


def _print(jobs: list[dict[str, Any]], waited: bool, several: bool) -> None:
    if not several:
        job = jobs[0]
        again = "" if job["created"] else " (was submitted before under this key)"
        starts = f", starts at {clock(job['start_after'])}" if job["start_after"] and not job["completed_at"] else ""
        click.echo(f"{job['job_id']} {name_of(job)}: {standing(job)}{starts}{again}")
        if job["approval"] and job["approval"]["status"] == "pending":
            click.echo(f"waits for an approval: {program()} approve {short(job['approval']['approval_id'])}")
        elif text := note(job):
            click.echo(text)
        return
    print_rows(jobs[:_MOST_ROWS], False, "There are no jobs.", {
        "JOB": ending("job_id"), "NAME": name_of, "USER": "user_id", "STATUS": standing, "RAN": duration,
        "": (lambda job: accuracy_and_loss(job["result"]) or note(job)) if waited else _whether_new,
    })  # fmt: skip
    shown = f" (the first {_MOST_ROWS} are shown)" if len(jobs) > _MOST_ROWS else ""
    click.echo(f"{how_many(jobs)}{shown}")


def _whether_new(job: dict[str, Any]) -> str:
    return "" if job["created"] else "submitted before"


def _from_options(
    command: tuple[str, ...], *, cwd: str | None, env: tuple[str, ...], env_from: tuple[str, ...],
    inherits: tuple[str, ...] | None, spec: str | None, assigned: tuple[str, ...], cpus: int | None, gpus: int | None,
    memory: int | None, swept: tuple[str, ...], rerun: int | None, rerun_on: str | None, rerun_delay: float | None,
    after: tuple[str, ...], start_after: str | None, **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """The request as the API accepts it. ``fields`` already have its names.

    ``inherits``: what the job inherits by the settings in addition to ``env_from``; None: it is sent over the network,
    where the server knows the user, and nothing of this machine is sent unless an option says so.
    """
    if swept:
        from actors.cli import sweep

        fields["matrix"], where = sweep.matrix_of(swept), sweep.directory(cwd)
    else:
        where = str(Path(cwd or ".").absolute())
    if not (command or fields["entry_point"] or fields["provider"] or spec or assigned):
        raise click.UsageError("say what to run: greenroom submit -- python train.py")
    if fields["after_mode"] and not after:
        raise click.UsageError("--after-mode says how the jobs of --after must end: give --after")
    body = {
        **fields,
        "provider": "local" if fields["provider"] is None else fields["provider"],
        "user_levels": _levels(fields["user_levels"]),
        "command": [_encoded(word) for word in command] or None,
        "cwd": _encoded(where) if cwd or (command and inherits is not None) else None,
        "params" if fields["entry_point"] else "spec": _spec(spec, assigned) or None,
        "after": [_reference(one) for one in after] or None,
        "start_after": None if start_after is None else _start(start_after),
        "env": _pairs(env),
        **({"env_from": env_from} if inherits is None else _from_here(fields["user_id"], (*inherits, *env_from))),
        "resources": given({"cpus": cpus, "gpus": gpus, "memory": memory}) or None,
        "rerun": _rerun(rerun, rerun_on, rerun_delay),
    }
    return given(body)


def _from_here(user_id: str | None, env_from: tuple[str, ...]) -> dict[str, Any]:
    """What this machine knows about the submitter: the user and the environment."""
    from actors.jobs.environment import inherited, with_usual
    from actors.jobs.os_text import to_plain

    names = with_usual(env_from)
    return {
        "user_id": os_user() if user_id is None else user_id,
        "env_from": names,
        "inherited_env": {name: to_plain(value) for name, value in inherited(names, os.environ).items()},
    }


def _spec(file: str | None, assigned: tuple[str, ...]) -> dict[str, Any]:
    if file is None and not assigned:
        return {}
    from actors.cli.spec import spec_of

    return spec_of(file, assigned)


def _rerun(*options: Any) -> dict[str, Any] | None:
    if options == (None, None, None):
        return None
    from actors.cli.rerun import rerun_of

    return rerun_of(*options)


def _levels(given_levels: tuple[str, ...]) -> tuple[str, ...]:
    if given_levels:
        from actors.jobs.level_names import level_fault
    for level in given_levels:
        if (fault := level_fault(level)) is not None:
            raise click.BadParameter(fault, param_hint="--level")
    return given_levels


def _reference(text: str) -> str | dict[str, str]:
    kind, colon, group = text.partition(":")
    return {"group": group} if colon and kind == "group" else text


def _start(text: str) -> str:
    """``22:00`` by this machine's clock as an instant; the server reads everything else."""
    from actors.jobs.wall_clock import in_utc

    instant = in_utc(text, datetime.now(UTC))
    if instant == text and ":" in text and "-" not in text:  # it was meant to be a time of day
        example = "22:00, +2h, or 2026-01-31T22:00:00Z"
        raise click.BadParameter(f"must be a time such as {example}, not {text!r:.80}", param_hint="--start-after")
    return instant


def _encoded(value: str) -> str | dict[str, str]:
    """An argument as a request holds it: its bytes, whatever the encoding of this terminal is."""
    from actors.jobs.os_text import from_bytes, to_plain

    try:
        return to_plain(from_bytes(os.fsencode(value)))
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        raise BadInput(
            f"{value!r:.80} cannot be written in the encoding of this locale ({encoding}); set LC_ALL=C.UTF-8"
        ) from None


def _pairs(assignments: tuple[str, ...]) -> dict[str, Any] | None:
    from actors.jobs.os_text import is_utf8

    pairs = {}
    for one in assignments:
        name, equals, value = one.partition("=")
        if not equals or not name or not is_utf8(name):
            raise click.BadParameter(f"must be NAME=VALUE, not {one!r}", param_hint="--env")
        pairs[name] = _encoded(value)
    return pairs or None
