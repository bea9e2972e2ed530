"""Commands about messages that were not handled: dead-letters, quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from actors.cli.job_text import lasted
from actors.cli.options import with_client
from actors.cli.tables import print_json, print_table, short

if TYPE_CHECKING:
    from actors.cli.client import Client


@click.command("dead-letters")
@with_client
def dead_letters(client: Client, as_json: bool) -> None:
    """List messages that could not be delivered.

    Their actor was gone, or its mailbox was full.
    """
    found = client.request("GET", "api", "actors", "dead-letters")["dead_letters"]
    if as_json:
        print_json(found)
        return
    rows = [(each["id"], each["actor"], each["message_type"], each["reason"], *_tail(each)) for each in found]
    print_table(("ID", "FOR", "MESSAGE", "WHY", "CORRELATION", "AGE"), rows, "There are no dead letters.")


@click.group()
def quarantine() -> None:
    """List, replay or drop messages that crashed their actor."""


@quarantine.command("list")
@with_client
def list_quarantine(client: Client, as_json: bool) -> None:
    """List the quarantined messages."""
    _print_quarantine(client.request("GET", "api", "actors", "quarantine"), as_json)


@quarantine.command()
@click.argument("message_id", type=int)
@with_client
def replay(client: Client, as_json: bool, message_id: int) -> None:
    """Send a message to its actor again, behind those in its mailbox."""
    _print_quarantine(client.request("POST", "api", "actors", "quarantine", str(message_id), "replay"), as_json)


@quarantine.command()
@click.argument("message_id", type=int)
@with_client
def drop(client: Client, as_json: bool, message_id: int) -> None:
    """Delete a message for good."""
    _print_quarantine(client.request("DELETE", "api", "actors", "quarantine", str(message_id)), as_json)


def _print_quarantine(document: Any, as_json: bool) -> None:
    found = document["quarantine"]
    if as_json:
        print_json(found)
        return
    rows = [
        (each["id"], each["actor"], each["message_type"], each["attempt"], each["cause"], *_tail(each))
        for each in found
    ]
    columns = ("ID", "ACTOR", "MESSAGE", "TRIES", "CAUSE", "CORRELATION", "AGE")
    print_table(columns, rows, "The quarantine is empty.")


def _tail(each: Any) -> tuple[str, str]:
    return short(each["correlation_id"]), lasted(each["age"])
