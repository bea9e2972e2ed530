"""``open``: a link with which the operator's browser signs in."""

from __future__ import annotations

import click

from actors.cli.context import with_config, with_json
from actors.cli.output import print_json


@click.command()
@with_json
@with_config
def open(as_json: bool, config: str | None) -> None:  # noqa: A001 - the command's name
    """Print a link that signs a browser in as you: it works once, within five minutes.

    It is printed and no browser is started: the link would stand among that program's arguments, for every user of this
    machine to read.
    """
    from actors.cli.client import Client

    made = Client(config).ask("POST", "api", "session", "code", body={})
    if as_json:
        print_json(made)
    else:
        click.echo(made["link"])
