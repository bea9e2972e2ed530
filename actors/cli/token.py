"""Commands about access: ``token``, for programs and browsers, and ``open``, for the operator's browser."""

from __future__ import annotations

from typing import Any

import click

from actors.cli.client import Client
from actors.cli.context import BadInput, Failed
from actors.cli.job_text import clock
from actors.cli.options import DURATION, given, with_client
from actors.cli.tables import ending, print_answer, print_json, print_rows, short
from actors.jobs.levels import LEVELS


@click.group()
def token() -> None:
    """Create, list and revoke access tokens for HTTP and the feed."""


@token.command()
@click.option("--user", "user_id", required=True, help="User that it acts as; its jobs belong to this user.")
@click.option("--org", help="Organisation of the jobs that it submits.")
@click.option("--team", "teams", multiple=True, help="Team that its jobs may name; repeatable.")
@click.option("--level", type=click.Choice(LEVELS), default="viewer", show_default=True, help="What it permits.")
@click.option(
    "--expires", "expires_in", type=DURATION, help="Time until it expires, such as 12h or 30d.  [default: never]"
)
@click.option("--name", default="", help="Purpose; shown in the list.")
@with_client
def create(client: Client, as_json: bool, org: str | None, **fields: Any) -> None:
    """Create a token and print it, once: only its hash is stored.

    viewer: see your own jobs. researcher: also submit and cancel them. lead: also see all jobs, and approve requests
    that need level lead or less. admin: also change limits, rules and tokens.
    """
    body = given({**fields, "org_id": org or None})
    print_answer(client.request("POST", "api", "tokens", body=body), as_json, _print_secret)


def _print_secret(made: Any) -> None:
    """The secret alone goes to stdout, so that it can be piped."""
    click.echo(made["token"])
    about = f"token {short(made['token_id'])} of {made['user_id']}, level {made['level']}, {_validity(made)}"
    click.echo(f"({about}; it is not shown again)", err=True)


@token.command("list")
@with_client
def list_tokens(client: Client, as_json: bool) -> None:
    """List tokens, revoked ones too, and browser sessions, newest first.

    With --json one array holds both. An object with a session_id is a session; its token_id is null if it was begun
    with `greenroom open`.
    """
    tokens = client.all_rows("tokens", "api", "tokens")
    sessions = client.all_rows("sessions", "api", "sessions")
    if as_json:
        print_json([*tokens, *sessions])
        return
    print_rows(tokens, False, "There are no tokens.", {
        "ID": ending("token_id"), "USER": "user_id", "ORG": "org_id", "TEAMS": lambda one: ", ".join(one["teams"]),
        "LEVEL": "level", "NAME": "name", "VALID": _validity,
        "LAST USED": lambda one: clock(one["last_used_at"]) or "never",
    })  # fmt: skip
    click.echo("")
    print_rows(sessions, False, "No browser is signed in.", {
        "SESSION": "session_id", "USER": "user_id", "ORG": "org_id", "LEVEL": "level", "SIGNED IN BY": _began_with,
        "SINCE": lambda one: clock(one["created_at"]), "VALID": _validity,
    })  # fmt: skip


@token.command()
@click.argument("token_id", required=False)
@click.option("--session", "session_id", metavar="ID", help="End this browser session instead.")
@click.option("--sessions-of", "user", metavar="USER", help="End every browser session of this user instead.")
@with_client
def revoke(client: Client, as_json: bool, token_id: str | None, session_id: str | None, user: str | None) -> None:
    """Revoke a token, and end the browser sessions begun with it.

    A part of the token's ID is enough. Sessions begun with `greenroom open` have no token: end them with --session or
    --sessions-of.
    """
    if [token_id, session_id, user].count(None) != 2:
        raise BadInput("give one of TOKEN_ID, --session ID and --sessions-of USER")
    if token_id is not None:
        ended = client.request("DELETE", "api", "tokens", token_id)
        message = f"Token {short(ended['token_id'])} of {ended['user_id']} is revoked."
    elif session_id is not None:
        ended = client.request("DELETE", "api", "sessions", session_id)
        message = f"Session {ended['session_id']} of {ended['user_id']} is ended."
    else:
        answer = client.request("DELETE", "api", "sessions", params={"user_id": user})
        ended = answer["sessions"]
        message = f"Ended sessions of {user}: {answer['ended']}."
    print_answer(ended, as_json, lambda _: click.echo(message))


def _began_with(one: dict[str, Any]) -> str:
    return "greenroom open" if one["token_id"] is None else f"token {short(one['token_id'])}"


def _validity(one: dict[str, Any]) -> str:
    if one.get("revoked_at") is not None:
        return "revoked"
    return "without expiry" if one["expires_at"] is None else f"until {clock(one['expires_at'])}"


@click.command()
@with_client
def open(client: Client, as_json: bool) -> None:  # noqa: A001 - the name of the command
    """Print a link that signs in your browser, once.

    The link is valid for five minutes. Greenroom starts no browser: the link would be among that program's arguments,
    which every user of this machine can read.
    """
    if client.supervisor.is_network:
        where = client.supervisor.name
        raise Failed(f"such a link is made on the supervisor's machine only; open {where} and sign in with your token")
    made = client.request("POST", "api", "session", "code", body={})
    print_answer(made, as_json, lambda made: click.echo(made["link"]))
