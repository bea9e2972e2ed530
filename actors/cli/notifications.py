"""Commands about notifications: notifications, notifications targets, notifications enable."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.client import Client
from actors.cli.job_text import ago
from actors.cli.options import given, next_page, with_client, with_pages
from actors.cli.tables import print_json, print_rows, short

_STATES = ("pending", "merged", "delivered", "given_up")


@click.group(invoke_without_command=True)
@click.option("--target", help="Notifications to this target only.")
@click.option("--state", type=click.Choice(_STATES), help="Notifications in this state only.")
@with_pages(100)
@with_client
def notifications(client: Client, as_json: bool, **filters: Any) -> None:
    """List notifications, newest first, and whether they were delivered.

    `notifications targets` lists where they go.
    """
    found = client.read("api", "notifications", params=given(filters))
    if as_json:
        print_json(found)
        return
    print_rows(found["notifications"], False, "There are no notifications.", {
        "JOB": lambda one: short(one["job_id"]), "NAME": "name", "TARGET": "target", "TYPE": "type",
        "STATE": "state", "TRIES": "tries",
        "CREATED": lambda one: ago(one["created_at"]), "": "last_error",
    })  # fmt: skip
    if found["next"]:
        click.echo(next_page("notifications", filters, cursor=found["next"]))


@notifications.command()
@with_client
def targets(client: Client, as_json: bool) -> None:
    """List the targets of notifications, and how many wait for each."""
    _print_targets(client.read("api", "notifications", "targets"), as_json)


@notifications.command()
@click.argument("name")
@with_client
def enable(client: Client, as_json: bool, name: str) -> None:
    """Send notifications to target NAME again after it answered 410.

    Notifications that wait for it are sent at once.
    """
    _print_targets(client.request("POST", "api", "notifications", "targets", name, "enable"), as_json)


def _print_targets(found: Any, as_json: bool) -> None:
    print_rows(found["targets"], as_json, "The configuration has no notification targets (notify.targets).", {
        "TARGET": "name", "GOES TO": lambda one: one["address"] or "a command", "WAITING": "waiting", "": _standing,
    })  # fmt: skip


def _standing(one: Any) -> str:
    if one["disabled_at"]:
        return f"disabled {ago(one['disabled_at'])}: {one['disabled_reason']}"
    if not one["configured"]:
        return "not in the configuration any more"
    return f"since {ago(one['waiting_since'])}" if one["waiting_since"] else ""
