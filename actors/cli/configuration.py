"""``config check`` and ``config show`` (B22), and completion for shells."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from actors.cli.context import BadInput, load_settings
from actors.cli.exit_statuses import ExitStatus
from actors.cli.options import with_config, with_json
from actors.cli.tables import plain, print_json, print_table

if TYPE_CHECKING:
    from actors.settings import Settings


@click.group()
def config() -> None:
    """Check or show the settings."""


@config.command()
@with_json
@with_config
def check(as_json: bool, config: str | None) -> None:
    """Check the configuration: print every error in it.

    Nothing is started or changed. Exit status 2 if there are errors.
    """
    from actors.settings import Settings, SettingsError

    try:
        settings = Settings.load(config)
    except SettingsError as error:
        if not as_json:
            raise BadInput(str(error)) from None
        print_json({"faults": [str(fault) for fault in error.faults], "notes": []})
        raise click.exceptions.Exit(ExitStatus.USAGE) from None
    notes = [*(plain(note.message) for note in settings.notes), *map(plain, _missing_programs(settings))]
    if as_json:
        print_json({"faults": [], "notes": notes})
        return
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{settings.config_file or 'no configuration file: defaults and environment'}: nothing is wrong")


def _missing_programs(settings: Settings) -> Iterator[str]:
    """A note for each command of a notification target whose program is not there, as this user sees it."""
    for name, target in settings.notify.targets.items():
        if target.command is None:
            continue
        program = target.command[0]
        # The commands run in /, and what has a slash is not looked up.
        if shutil.which(Path("/", program) if "/" in program else program) is None:
            yield f"notify.targets.{name}.command: the program {program} is not found (or is not executable)"


@config.command()
@with_json
@with_config
def show(as_json: bool, config: str | None) -> None:
    """Print the settings in effect and where each comes from.

    Secrets are masked. A limit that was changed at run time overrides the one shown here until `limits reset`: see
    `greenroom limits show`.
    """
    from actors.settings.effective import effective, quantities

    settings = load_settings(config)
    rows = effective(settings)
    if as_json:
        print_json([row._asdict() for row in rows])
    else:
        written = quantities(settings)
        shown = [(row.key, written.get(row.key, row.value), row.source) for row in rows]
        print_table(("SETTING", "VALUE", "FROM"), shown, "There are no settings.")
        click.echo("Limits changed at run time override these: greenroom limits show")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a SHELL.

    Use it with: eval "$(greenroom completion bash)"
    """
    from click.shell_completion import get_completion_class

    from actors.cli.group import cli

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, "greenroom", "_GREENROOM_COMPLETE").source())
