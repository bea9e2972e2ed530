"""Commands about messages that were not handled: dead-letters, quarantine."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.client import Client
from actors.cli.job_text import lasted
from actors.cli.options import with_client
from actors.cli.tables import ending, print_rows

_ORIGIN: dict[str, Any] = {"CORRELATION": ending("correlation_id"), "AGE": lambda each: lasted(each["age"])}


@click.command("dead-letters")
@with_client
def dead_letters(client: Client, as_json: bool) -> None:
    """List messages that could not be delivered.

    Their actor was gone, or its mailbox was full.
    """
    found = client.request("GET", "api", "actors", "dead-letters")["dead_letters"]
    columns = {"ID": "id", "FOR": "actor", "MESSAGE": "message_type", "WHY": "reason", **_ORIGIN}
    print_rows(found, as_json, "There are no dead letters.", columns)


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
    columns = {
        "ID": "id", "ACTOR": "actor", "MESSAGE": "message_type", "TRIES": "attempt", "CAUSE": "cause", **_ORIGIN,
    }  # fmt: skip
    print_rows(document["quarantine"], as_json, "The quarantine is empty.", columns)
