"""Commands about messages that were not handled: dead-letters, quarantine list, replay and drop."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.context import with_config, with_json
from actors.cli.output import lasted, print_json, print_table, short


def _ask(config: str | None, method: str, *path: str) -> Any:
    from actors.cli.client import Client

    return Client(config).ask(method, "api", "actors", *path)


@click.command("dead-letters")
@with_json
@with_config
def dead_letters(as_json: bool, config: str | None) -> None:
    """List messages that reached nobody: their actor was gone, or its mailbox full."""
    found = _ask(config, "GET", "dead-letters")["dead_letters"]
    if as_json:
        print_json(found)
        return
    rows = [(each["id"], each["actor"], each["message_type"], each["reason"], *_tail(each)) for each in found]
    print_table(("ID", "FOR", "MESSAGE", "WHY", "CORRELATION", "AGO"), rows, "There are no dead letters.")


@click.group()
def quarantine() -> None:
    """Messages whose handling crashed their actor: look at them, send them again, or drop them."""


@quarantine.command("list")
@with_json
@with_config
def list_them(as_json: bool, config: str | None) -> None:
    """List the quarantined messages."""
    _print_quarantine(_ask(config, "GET", "quarantine"), as_json)


@quarantine.command()
@click.argument("message_id", type=int)
@with_json
@with_config
def replay(message_id: int, as_json: bool, config: str | None) -> None:
    """Send a message to its actor once more, behind what waits there."""
    _print_quarantine(_ask(config, "POST", "quarantine", str(message_id), "replay"), as_json)


@quarantine.command()
@click.argument("message_id", type=int)
@with_json
@with_config
def drop(message_id: int, as_json: bool, config: str | None) -> None:
    """Forget a message for good."""
    _print_quarantine(_ask(config, "DELETE", "quarantine", str(message_id)), as_json)


def _print_quarantine(document: Any, as_json: bool) -> None:
    found = document["quarantine"]
    if as_json:
        print_json(found)
        return
    rows = [
        (each["id"], each["actor"], each["message_type"], each["attempt"], each["cause"], *_tail(each))
        for each in found
    ]
    columns = ("ID", "ACTOR", "MESSAGE", "TRIES", "CAUSE", "CORRELATION", "AGO")
    print_table(columns, rows, "The quarantine is empty.")


def _tail(each: Any) -> tuple[str, str]:
    return short(each["correlation_id"]), lasted(each["age"])
