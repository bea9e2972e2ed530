"""``config check`` and ``config show`` (B22), and completion for shells."""

from __future__ import annotations

import click

from actors.cli.context import Failed, load_settings, with_config, with_json
from actors.cli.output import plain, print_json, print_table


@click.group()
def config() -> None:
    """Check or show the settings: file, environment, defaults."""


@config.command()
@with_json
@with_config
def check(as_json: bool, config: str | None) -> None:
    """Tell everything that is wrong with the configuration, and start nothing."""
    if as_json:
        _check_for_programs(config)
        return
    settings = load_settings(config)
    for note in settings.notes:
        click.echo(f"note: {plain(note.message)}")
    click.echo(f"{settings.config_file or 'no configuration file: defaults and environment'}: nothing is wrong")


def _check_for_programs(config: str | None) -> None:
    from actors.settings import Settings, SettingsError

    try:
        settings = Settings.load(config)
    except SettingsError as error:
        print_json({"faults": [str(fault) for fault in error.faults], "notes": []})
        raise click.exceptions.Exit(2) from None
    print_json({"faults": [], "notes": [plain(note.message) for note in settings.notes]})


@config.command()
@with_json
@with_config
def show(as_json: bool, config: str | None) -> None:
    """Print the settings that hold and where each came from; secrets are masked.

    A limit that was changed at run time wins over what is shown here until `limits reset`; `limits show` tells.
    """
    from actors.settings import effective

    rows = effective(load_settings(config))
    if as_json:
        print_json([row._asdict() for row in rows])
    else:
        print_table(("SETTING", "VALUE", "FROM"), [(row.key, plain(row.value), row.source) for row in rows], "Nothing.")
        click.echo("Limits changed at run time win over these: greenroom limits show")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL: `eval "$(greenroom completion bash)"`."""
    from click.shell_completion import get_completion_class

    from actors.cli.group import cli

    made = get_completion_class(shell)
    if made is None:
        raise Failed(f"there is no completion for {shell}")
    click.echo(made(cli, {}, "greenroom", "_GREENROOM_COMPLETE").source())
