"""Commands about tokens: make one for somebody, list them, revoke one."""

from __future__ import annotations

import re
from typing import Any

import click

from actors.cli.context import BadInput, with_config, with_json
from actors.cli.output import print_json, print_table, short

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
_LEVELS = ("viewer", "researcher", "lead", "admin")


def _ask(config: str | None, method: str, *path: str, body: Any = None) -> Any:
    from actors.cli.client import Client

    return Client(config).ask(method, "api", "tokens", *path, body=body)


@click.group()
def token() -> None:
    """Tokens, with which people and programs come in over HTTP and the feed."""


@token.command()
@click.option("--user", required=True, help="For whom: jobs are this user's, decisions in this name.")
@click.option("--org", help="The organisation of jobs that are submitted with it.")
@click.option("--team", "teams", multiple=True, help="A team that jobs submitted with it may name; repeatable.")
@click.option("--level", type=click.Choice(_LEVELS), default="viewer", show_default=True, help="What it may.")
@click.option("--expires", metavar="TIME", help="When it ends: 12h, 30d, 8w. Without: never.")
@click.option("--name", default="", help="What it is for; shown in the list.")
@with_json
@with_config
def create(
    user: str,
    org: str | None,
    teams: tuple[str, ...],
    level: str,
    expires: str | None,
    name: str,
    as_json: bool,
    config: str | None,
) -> None:
    """Make a token and print it, this once: only its hash is kept.

    viewer sees its own jobs; researcher submits and cancels them, too; lead sees everybody's and approves up to its
    level; admin changes limits, rules and tokens.
    """
    body: dict[str, Any] = {"user_id": user, "level": level, "name": name}
    if org:
        body["org_id"] = org
    if teams:
        body["teams"] = list(teams)
    if expires is not None:
        body["expires_in"] = _seconds(expires)
    made = _ask(config, "POST", body=body)
    if as_json:
        print_json(made)
        return
    click.echo(made["token"])
    until = "it does not end" if made["expires_at"] is None else f"until {made['expires_at']}"
    click.echo(f"(token {short(made['token_id'])} of {user}, level {level}, {until}; it is not shown again)", err=True)


@token.command("list")
@with_json
@with_config
def list_them(as_json: bool, config: str | None) -> None:
    """List tokens, revoked ones too, the newest first."""
    found = _ask(config, "GET")["tokens"]
    if as_json:
        print_json(found)
        return
    rows = [
        (short(one["token_id"]), one["user_id"], one["org_id"] or "", ", ".join(one["teams"]), one["level"],
         one["name"], _standing(one), one["last_used_at"] or "never")
        for one in found
    ]  # fmt: skip
    print_table(("ID", "USER", "ORG", "TEAMS", "LEVEL", "NAME", "STANDS", "LAST USED"), rows, "There are no tokens.")


@token.command()
@click.argument("token_id")
@with_json
@with_config
def revoke(token_id: str, as_json: bool, config: str | None) -> None:
    """End a token, and every browser session that began with it. A part of its ID is enough."""
    ended = _ask(config, "DELETE", token_id)
    if as_json:
        print_json(ended)
    else:
        click.echo(f"Token {short(ended['token_id'])} of {ended['user_id']} is revoked.")


def _standing(one: dict[str, Any]) -> str:
    if one["revoked_at"] is not None:
        return "revoked"
    return "does not end" if one["expires_at"] is None else f"until {one['expires_at']}"


def _seconds(text: str) -> int:
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"--expires: must be a time like 12h, 30d or 8w, not {text!r}")
    return int(found[1]) * _UNITS[found[2]]
