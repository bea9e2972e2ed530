"""``backup`` and ``restore``: a runtime in one file, and a new runtime from it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.cli.address import is_named
from actors.cli.context import Failed, load_settings
from actors.cli.options import with_config, with_json
from actors.cli.tables import ending, plain, print_json, print_rows
from actors.settings import variable_names

if TYPE_CHECKING:
    from actors.backup.restoring import RestoredDirectory
    from actors.backup.taking import Taken


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@with_json
@with_config
def backup(file: Path, force: bool, as_json: bool, config: str | None) -> None:
    """Write a backup of the database, the configuration and the keys to FILE.

    Jobs may run meanwhile. The backup has no directories and no output of jobs.
    """
    from actors.backup.errors import BackupError
    from actors.backup.taking import take

    if is_named():
        message = "a backup is made where the supervisor runs, by its user: it has the files of that machine"
        raise Failed(
            f"{message}; run it there, without --url and --socket (and {variable_names.URL}, {variable_names.SOCKET})"
        )
    try:
        taken = take(load_settings(config), file, force=force)
    except BackupError as error:
        raise Failed(str(error)) from None
    if as_json:
        print_json(_backup_document(taken))
    else:
        _print_taken(taken)


def _backup_document(taken: Taken) -> dict[str, Any]:
    made = taken.manifest
    return {
        "file": str(taken.file), "size": taken.size, "jobs": taken.jobs, "active_jobs": taken.active_jobs,
        "began_at": made.began_at.isoformat(), "state_dir": made.state_dir, "instance_id": made.instance_id,
        "members": sorted(made.members), "left_out": list(made.left_out), "notes": list(taken.notes),
    }  # fmt: skip


def _print_taken(taken: Taken) -> None:
    from actors.cli.selections import size

    for note in taken.notes:
        click.echo(f"warning: {plain(note)}", err=True)
    click.echo(f"{plain(taken.file)}: {taken.jobs} jobs ({taken.active_jobs} not ended), {size(taken.size)}")
    click.echo(f"It has: {', '.join(map(plain, taken.manifest.members))}.")
    for left_out in taken.manifest.left_out:
        click.echo(f"Not in it: {plain(left_out)}")


def _directory(context: click.Context, parameter: click.Parameter, value: str) -> Path:
    if not value:  # as of a variable that is not set; it would mean the working directory
        raise click.BadParameter("must not be empty", context, parameter)
    return Path(value)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--into", required=True, metavar="DIR", callback=_directory, help="New state directory.")
@click.option("--original-stopped", is_flag=True, help="Confirm that no supervisor runs where the backup was made.")
@with_json
def restore(file: Path, into: Path, original_stopped: bool, as_json: bool) -> None:
    """Create a new state directory from the backup in FILE.

    Its supervisor starts with the queue paused, and asks each provider how the jobs of the backup continued.
    """
    from actors.backup.errors import BackupError
    from actors.backup.restoring import restore as restore_into

    try:
        made = restore_into(file, into, original_stopped=original_stopped)
    except BackupError as error:
        raise Failed(str(error)) from None
    if as_json:
        print_json(_restore_document(made))
    else:
        _print_restored(made)


def _restore_document(made: RestoredDirectory) -> dict[str, Any]:
    begun, of = made.begun, made.manifest
    return {
        "directory": str(made.directory), "configuration": str(made.configuration), "instance_id": made.instance_id,
        "jobs": made.jobs, "to_look_up": begun.to_look_up, "sessions_ended": begun.sessions,
        "notifications_not_sent": begun.notifications, "began_at": of.began_at.isoformat(), "original": of.state_dir,
        "original_providers": None if made.original_providers is None else str(made.original_providers),
        "tokens": [
            {"token_id": one.token_id, "name": one.name, "user_id": one.user_id, "level": one.level}
            for one in begun.tokens
        ],
    }  # fmt: skip


def _word(path: Path) -> str:
    """Return a path as one word of a command that can be copied into a shell."""
    return shlex.quote(plain(path))


def _print_restored(made: RestoredDirectory) -> None:
    begun, began_at = made.begun, made.manifest.began_at
    click.echo(f"{plain(made.directory)}: {made.jobs} jobs as of {began_at:%Y-%m-%d %H:%M:%S} UTC.")
    click.echo(f"Jobs to look up at their providers: {begun.to_look_up}. The queue is paused.")
    click.echo(f"Sessions ended: {begun.sessions}. Notifications not sent: {begun.notifications}.")
    if begun.tokens:
        click.echo("These tokens are valid; revoke those that should not be (greenroom token revoke):")
        rows = [{"id": one.token_id, "name": one.name, "user": one.user_id, "level": one.level} for one in begun.tokens]
        print_rows(rows, False, "", {"ID": ending("id"), "NAME": "name", "USER": "user", "LEVEL": "level"})
    if made.original_providers is not None:
        target = made.directory / "providers"
        click.echo("The directories of jobs are still with the original. To go on with them, before the first start:")
        click.echo(f"    ln -s {_word(made.original_providers)} {_word(target)}")
    home = f"GREENROOM_HOME={_word(made.directory)}"
    named = f"{home} " if "GREENROOM_HOME" in os.environ else ""
    click.echo(f"Start it with: {named}greenroom run --config {_word(made.configuration)}")
    click.echo(f"Then look at what was found:  {home} greenroom queue")
    click.echo(f"and let waiting jobs start:   {home} greenroom queue resume --all")
