"""``open``: a link with which the operator's browser signs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from actors.cli.options import with_client
from actors.cli.tables import print_answer

if TYPE_CHECKING:
    from actors.cli.client import Client


@click.command()
@with_client
def open(client: Client, as_json: bool) -> None:  # noqa: A001 - the command's name
    """Print a link that signs in your browser, once.

    The link is valid for five minutes. Greenroom starts no browser: the link would be among that program's arguments,
    which every user of this machine can read.
    """
    made = client.request("POST", "api", "session", "code", body={})
    print_answer(made, as_json, lambda made: click.echo(made["link"]))
