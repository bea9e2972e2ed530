"""``submit``: one job from arguments, or many from a file; and waiting for their ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from actors.cli.context import BadInput, Failed, os_user, with_config, with_json
from actors.cli.output import duration, metrics, name_of, note, print_json, print_table, short, standing

_TERMINAL = ("completed", "failed", "cancelled")
_UNHEARD = 255
_SIGNALLED = 128
_FOR_ONE = (
    "provider", "user", "org", "team", "level", "priority", "name", "cost", "key", "cpus", "gpus", "memory", "cwd",
    "env", "env_from", "spec", "assigned", "entry_point", "hardware", "needs_approval", "max_attempts", "max_runtime",
)  # fmt: skip


@click.command()
@click.argument("command", nargs=-1, metavar="[-- ARGV...]", type=click.UNPROCESSED)
@click.option("--provider", help="Who computes.  [default: local]")
@click.option("--user", help="For whom.  [default: you]")
@click.option("--org", help="The user's organisation.")
@click.option("--team", help="The user's team.")
@click.option("--level", multiple=True, help="The user's level: viewer, researcher, lead, admin; repeatable.")
@click.option("--priority", type=int, help="Override the priority that follows from the level: 0 to 50.")
@click.option("--name", metavar="CONFIG", help="What people call this job.")
@click.option("--cost", type=float, metavar="USD", help="What it is expected to cost.")
@click.option("--key", metavar="IDEMPOTENCY", help="The same key within 24 h gives the same job.")
@click.option("--cpus", type=int, help="CPU slots.  [default: 1]")
@click.option("--gpus", type=int, help="GPU slots.  [default: 0]")
@click.option("--memory", help="Memory, such as 8GiB, or a number of bytes.")
@click.option("--cwd", type=click.Path(file_okay=False), help="Where it runs.  [default: here]")
@click.option("--env", multiple=True, type=click.UNPROCESSED, metavar="K=V", help="Set a variable; repeatable.")
@click.option("--env-from", multiple=True, metavar="NAME", help="Take this variable from here, too; repeatable.")
@click.option("--entry-point", help="Instead of ARGV: an entry point of the configuration; --set gives its parameters.")
@click.option(
    "--spec", type=click.Path(allow_dash=True), metavar="FILE|-", help="An object for the provider, YAML or JSON."
)
@click.option("--set", "assigned", multiple=True, metavar="K=V", help="Set one value of the spec; repeatable.")
@click.option("--hardware", metavar="TYPE", help="The hardware's type, for approval rules.")
@click.option("--needs-approval", metavar="WHY", help="Ask somebody first.")
@click.option("--max-attempts", type=int, help="How often handing it over is tried.  [default: 3]")
@click.option("--max-runtime", type=float, metavar="SECONDS", help="End it after so long.")
@click.option("--file", type=click.Path(dir_okay=False), help="Submit the jobs of this file instead, all or none.")
@click.option("--wait", is_flag=True, help="Wait for the end; the exit status is the job's.")
@with_json
@with_config
def submit(
    command: tuple[str, ...], file: str | None, wait: bool, as_json: bool, config: str | None, **options: Any
) -> None:
    """Submit a job: its argument vector after --, never a shell line."""
    from actors.cli.client import Client

    client = Client(config)
    if file is not None:
        given = [name for name in _FOR_ONE if options[name] not in (None, ())]
        if command or given:
            raise click.UsageError("--file says all about its jobs; give it alone, with --wait and --json at most")
        bodies = _from_file(file)
    else:
        bodies = [_from_options(command, options)]
    accepted = client.ask("POST", "api", "jobs", body=bodies if file is not None else bodies[0])
    found = accepted if file is not None else [accepted]
    if wait:
        from actors.cli.waiting import wait_for

        ended = wait_for(client, found)
        found = [ended[job["job_id"]] | {"created": job["created"]} for job in found]
    if as_json:
        print_json(found if file is not None else found[0])
    else:
        _print(found, wait)
    if wait and (status := max(map(exit_status, found))):
        raise click.exceptions.Exit(status)


def exit_status(job: dict[str, Any]) -> int:
    """What a shell is told of an ended job: its own exit status, 128 + the signal that ended it, else 0 or 1."""
    if job["status"] == "completed":
        return 0
    if isinstance(number := job.get("signal"), int) and 0 < number < _SIGNALLED:
        return _SIGNALLED + number
    code = job["exit_code"]
    return code if isinstance(code, int) and 0 < code <= _UNHEARD else 1


def _print(jobs: list[dict[str, Any]], waited: bool) -> None:
    if len(jobs) == 1:
        job = jobs[0]
        again = "" if job["created"] else " (was submitted before under this key)"
        click.echo(f"{job['job_id']} {name_of(job)}: {standing(job)}{again}")
        if job["approval"] and job["approval"]["status"] == "pending":
            click.echo(f"waits for an approval: greenroom approve {short(job['approval']['approval_id'])}")
        elif said := note(job):
            click.echo(said)
        return
    rows = [
        (short(job["job_id"]), name_of(job), job["user_id"], standing(job), duration(job),
         metrics(job["result"]) or note(job) if waited else "" if job["created"] else "submitted before")
        for job in jobs
    ]  # fmt: skip
    print_table(("JOB", "NAME", "USER", "STATUS", "RAN", ""), rows, "There are no jobs.")


def _from_file(file: str) -> list[dict[str, Any]]:
    from actors.job_requests.job_file import load_job_file
    from actors.jobs.codec import request_to_json
    from actors.validation import CheckedError

    try:
        loaded = load_job_file(file, user=os_user())
    except CheckedError as error:
        raise BadInput(str(error)) from None
    return [request_to_json(request) for request in loaded.requests]


def _from_options(command: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The request as the API takes it: what was not given is absent, so that one place holds the defaults."""
    from actors.jobs.environment import inherited
    from actors.jobs.os_text import to_plain
    from actors.jobs.records import DEFAULT_ENV_FROM

    names = (*DEFAULT_ENV_FROM, *options["env_from"])
    spec = _spec(options["spec"], options["assigned"])
    entry_point = options["entry_point"]
    body = {
        "provider": options["provider"] or "local",
        "command": [_typed(word) for word in command] or None,
        "entry_point": entry_point,
        "params" if entry_point else "spec": spec or None,
        "cwd": _typed(str(Path(options["cwd"] or ".").absolute())) if command or options["cwd"] else None,
        "env": _pairs(options["env"]),
        "env_from": list(names),
        "inherited_env": {name: to_plain(value) for name, value in inherited(names, os.environ).items()},
        "resources": {name: options[name] for name in ("cpus", "gpus", "memory") if options[name] is not None} or None,
        "user_id": options["user"] or os_user(),
        "org_id": options["org"],
        "team_id": options["team"],
        "user_levels": list(options["level"]) or None,
        "config_name": options["name"],
        "hardware_type": options["hardware"],
        "estimated_cost": options["cost"],
        "priority_override": options["priority"],
        "max_attempts": options["max_attempts"],
        "idempotency_key": options["key"],
        "max_runtime": options["max_runtime"],
        "requires_approval": options["needs_approval"],
    }
    return {name: value for name, value in body.items() if value is not None}


def _typed(value: str) -> str | dict[str, str]:
    """A value of the command line for the request: its bytes, whatever encoding this terminal has."""
    from actors.jobs.os_text import from_bytes, to_plain

    return to_plain(from_bytes(os.fsencode(value)))


def _pairs(given: tuple[str, ...]) -> dict[str, Any] | None:
    from actors.jobs.os_text import is_utf8

    pairs = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or not is_utf8(name):
            raise click.BadParameter(f"must be NAME=VALUE, not {one!r}", param_hint="--env")
        pairs[name] = _typed(value)
    return pairs or None


def _spec(file: str | None, assigned: tuple[str, ...]) -> dict[str, Any]:
    from actors.job_requests.job_file import load_spec, parse_set
    from actors.validation import CheckedError

    try:
        whole = {} if file is None else load_spec(_content(file), "stdin" if file == "-" else file)
        return _over(whole, parse_set(assigned))
    except CheckedError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None


def _content(file: str) -> bytes:
    """What the file holds, or stdin: at most what a request may be."""
    from actors.jobs import maxima

    if file == "-":
        content = sys.stdin.buffer.read(maxima.BODY + 1)
    else:
        with Path(file).open("rb") as source:
            content = source.read(maxima.BODY + 1)
    if len(content) > maxima.BODY:
        raise BadInput(f"--spec: must be at most {maxima.BODY} bytes")
    return content


def _over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """What --set says wins over the file, key by key."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
