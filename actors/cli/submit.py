"""``submit``: one job from arguments, or many from a file; and waiting until they end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from actors.cli.client import Client
from actors.cli.context import BadInput, Failed, os_user, read_job_file
from actors.cli.job_text import duration, metrics, name_of, note, standing
from actors.cli.options import given, with_client
from actors.cli.tables import ending, print_json, print_rows, short
from actors.jobs.statuses import TERMINAL_JOBS

_UNHEARD = 255
_SIGNALLED = 128


@click.command()
@click.argument("command", nargs=-1, metavar="[-- ARGV...]", type=click.UNPROCESSED)
@click.option("--provider", help="Provider that runs the job.  [default: local]")
@click.option("--user", "user_id", help="User the job belongs to.  [default: you]")
@click.option("--org", "org_id", help="Organisation of the user.")
@click.option("--team", "team_id", help="Team of the user.")
@click.option("--level", "user_levels", multiple=True, help="Level: viewer, researcher, lead or admin; repeatable.")
@click.option("--priority", "priority_override", type=int, help="Priority, 0 to 50.  [default: by level]")
@click.option("--name", "config_name", help="Name of the job.")
@click.option("--cost", "estimated_cost", type=float, metavar="USD", help="Estimated cost.")
@click.option("--key", "idempotency_key", help="Idempotency key: submitting it again within 24 h returns the same job.")
@click.option("--cpus", type=int, help="CPU slots.  [default: 1]")
@click.option("--gpus", type=int, help="GPU slots.  [default: 0]")
@click.option("--memory", help="Memory, such as 8GiB, or a number of bytes.")
@click.option("--cwd", type=click.Path(file_okay=False), help="Working directory.  [default: the current one]")
@click.option(
    "--env", multiple=True, type=click.UNPROCESSED, metavar="K=V", help="Set an environment variable; repeatable."
)
@click.option(
    "--env-from", multiple=True, metavar="NAME", help="Also pass this variable of your environment; repeatable."
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
@click.option("--max-runtime", type=float, metavar="SECONDS", help="End the job after this time.")
@click.option("--file", type=click.Path(dir_okay=False), help="Submit the jobs of this file instead, all or none.")
@click.option("--wait", is_flag=True, help="Wait until the job ends, and exit with its exit status.")
@with_client
def submit(
    client: Client, as_json: bool, command: tuple[str, ...], file: str | None, wait: bool, **options: Any
) -> None:
    """Submit a job: a program and its arguments, after --.

    The program is started directly, not by a shell. Example: greenroom submit --gpus 1 -- python train.py --lr 0.1
    """
    if file is None:
        found = [client.request("POST", "api", "jobs", body=_from_options(command, **options))]
    elif command or given(options):
        raise click.UsageError("--file cannot be combined with options of a job, only with --wait and --json")
    else:
        found = client.request("POST", "api", "jobs", body=_from_file(file))
    if wait:
        ended = _wait_for(client, found)
        found = [ended[job["job_id"]] | {"created": job["created"]} for job in found]
    if as_json:
        print_json(found if file is not None else found[0])
    else:
        _print(found, wait)
    if wait and (status := max(map(exit_status, found))):
        raise click.exceptions.Exit(status)


def _wait_for(client: Client, submitted: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each job by its id, once all have ended; what happens meanwhile goes to stderr.

    The stream is opened first and the rows are read then: whatever ends in between is in one of the two.
    """
    from actors.cli.event_text import describe, parsed

    open_ones = {job["job_id"]: name_of(job) for job in submitted}
    ended: dict[str, dict[str, Any]] = {}

    def look(job_id: str) -> None:
        job = client.request("GET", "api", "jobs", job_id)
        if job["status"] in TERMINAL_JOBS:
            ended[job_id] = job
        elif job["reason"]:
            click.echo(f"{open_ones[job_id]} ({short(job_id)}) waits: {job['reason']}", err=True)

    only = {"job_id": submitted[0]["job_id"]} if len(submitted) == 1 else {}
    with client.stream("api", "events", params=only) as answer:
        for kind, event in parsed(answer.lines()):
            if kind == "goodbye":
                break
            job_id = event.get("job_id")
            if kind == "connection":
                for each in open_ones:
                    look(each)
            elif job_id is not None and job_id in open_ones and job_id not in ended:
                click.echo(describe(event, open_ones[job_id]), err=True)
                if event.get("status") in TERMINAL_JOBS:
                    look(job_id)
            if len(ended) == len(open_ones):
                return ended
    raise Failed("the supervisor stopped while this waited; jobs that run go on running: greenroom jobs")


def exit_status(job: dict[str, Any]) -> int:
    """The exit status for an ended job: its own exit status, 128 + the signal that ended it, else 0 or 1."""
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
        elif text := note(job):
            click.echo(text)
        return
    print_rows(jobs, False, "There are no jobs.", {
        "JOB": ending("job_id"), "NAME": name_of, "USER": "user_id", "STATUS": standing, "RAN": duration,
        "": (lambda job: metrics(job["result"]) or note(job)) if waited else _whether_new,
    })  # fmt: skip


def _whether_new(job: dict[str, Any]) -> str:
    return "" if job["created"] else "submitted before"


def _from_file(file: str) -> list[dict[str, Any]]:
    from actors.jobs.codec import request_to_json

    return [request_to_json(request) for request in read_job_file(file).requests]


def _from_options(
    command: tuple[str, ...], *, cwd: str | None, env: tuple[str, ...], env_from: tuple[str, ...], spec: str | None,
    assigned: tuple[str, ...], cpus: int | None, gpus: int | None, memory: str | None, **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """The request as the API takes it. ``fields`` already have its names."""
    from actors.jobs.environment import DEFAULT_ENV_FROM, inherited
    from actors.jobs.os_text import to_plain

    names = (*DEFAULT_ENV_FROM, *env_from)
    body = {
        **fields,
        "provider": fields["provider"] or "local",
        "user_id": fields["user_id"] or os_user(),
        "command": [_encoded(word) for word in command] or None,
        "params" if fields["entry_point"] else "spec": _spec(spec, assigned) or None,
        "cwd": _encoded(str(Path(cwd or ".").absolute())) if command or cwd else None,
        "env": _pairs(env),
        "env_from": names,
        "inherited_env": {name: to_plain(value) for name, value in inherited(names, os.environ).items()},
        "resources": given({"cpus": cpus, "gpus": gpus, "memory": memory}) or None,
    }
    return given(body)


def _encoded(value: str) -> str | dict[str, str]:
    """An argument as a request holds it: its bytes, whatever the encoding of this terminal is."""
    from actors.jobs.os_text import from_bytes, to_plain

    return to_plain(from_bytes(os.fsencode(value)))


def _pairs(assignments: tuple[str, ...]) -> dict[str, Any] | None:
    from actors.jobs.os_text import is_utf8

    pairs = {}
    for one in assignments:
        name, equals, value = one.partition("=")
        if not equals or not name or not is_utf8(name):
            raise click.BadParameter(f"must be NAME=VALUE, not {one!r}", param_hint="--env")
        pairs[name] = _encoded(value)
    return pairs or None


def _spec(file: str | None, assigned: tuple[str, ...]) -> dict[str, Any]:
    if file is None and not assigned:
        return {}
    from actors.job_requests.job_file import load_spec, parse_set
    from actors.validation import CheckedError

    try:
        whole = {} if file is None else load_spec(_content(file), "stdin" if file == "-" else file)
        return _merged(whole, parse_set(assigned))
    except CheckedError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None


def _content(file: str) -> bytes:
    """The content of the file, or of stdin: at most the size of a request."""
    from actors.jobs import maxima

    with click.open_file(file, "rb") as source:
        content: bytes = source.read(maxima.BODY + 1)
    if len(content) > maxima.BODY:
        raise BadInput(f"--spec: must be at most {maxima.BODY} bytes")
    return content


def _merged(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """``base`` with what --set gives, key by key."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
