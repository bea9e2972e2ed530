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


def _ask(config: str | None, method: str, *path: str, body: Any = None, params: Any = None) -> Any:
    from actors.cli.client import Client

    return Client(config).ask(method, "api", *path, body=body, params=params)


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
    made = _ask(config, "POST", "tokens", body=body)
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
    """List tokens, revoked ones too, and the browsers that are signed in, the newest first.

    With --json one array holds both; what has a session_id is a session, and its token_id is null where it began
    with `greenroom open`.
    """
    from actors.cli.client import Client

    client = Client(config)
    tokens = client.ask_all("tokens", "api", "tokens")
    sessions = client.ask_all("sessions", "api", "sessions")
    if as_json:
        print_json([*tokens, *sessions])
        return
    rows = [
        (short(one["token_id"]), one["user_id"], one["org_id"] or "", ", ".join(one["teams"]), one["level"],
         one["name"], _standing(one), one["last_used_at"] or "never")
        for one in tokens
    ]  # fmt: skip
    print_table(("ID", "USER", "ORG", "TEAMS", "LEVEL", "NAME", "STANDS", "LAST USED"), rows, "There are no tokens.")
    click.echo("")
    browsers = [
        (one["session_id"], one["user_id"], one["org_id"] or "", one["level"], _began_with(one), one["created_at"],
         f"until {one['expires_at']}")
        for one in sessions
    ]  # fmt: skip
    print_table(
        ("SESSION", "USER", "ORG", "LEVEL", "SIGNED IN BY", "SINCE", "STANDS"), browsers, "No browser is signed in."
    )


@token.command()
@click.argument("token_id", required=False)
@click.option("--session", "session_id", metavar="ID", help="Sign out this browser instead.")
@click.option("--sessions-of", "user", metavar="USER", help="Sign out every browser of this user instead.")
@with_json
@with_config
def revoke(token_id: str | None, session_id: str | None, user: str | None, as_json: bool, config: str | None) -> None:
    """End a token, and every browser session that began with it. A part of its ID is enough.

    Sessions of `greenroom open` have no token: end them with --session or --sessions-of.
    """
    if [token_id, session_id, user].count(None) != 2:
        raise BadInput("give one of TOKEN_ID, --session ID and --sessions-of USER")
    if token_id is not None:
        ended = _ask(config, "DELETE", "tokens", token_id)
        said = f"Token {short(ended['token_id'])} of {ended['user_id']} is revoked."
    elif session_id is not None:
        ended = _ask(config, "DELETE", "sessions", session_id)
        said = f"Session {ended['session_id']} of {ended['user_id']} is ended."
    else:
        answered = _ask(config, "DELETE", "sessions", params={"user_id": user})
        ended = answered["sessions"]
        said = f"Ended sessions of {user}: {answered['ended']}."
    if as_json:
        print_json(ended)
    else:
        click.echo(said)


def _began_with(one: dict[str, Any]) -> str:
    return "greenroom open" if one["token_id"] is None else f"token {short(one['token_id'])}"


def _standing(one: dict[str, Any]) -> str:
    if one["revoked_at"] is not None:
        return "revoked"
    return "does not end" if one["expires_at"] is None else f"until {one['expires_at']}"


def _seconds(text: str) -> int:
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"--expires: must be a time like 12h, 30d or 8w, not {text!r}")
    return int(found[1]) * _UNITS[found[2]]
