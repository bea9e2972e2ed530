"""Commands that show changes as they happen: watch, tree."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import Any

import click
import orjson

from actors.cli import address
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.job_text import lasted, name_and_user
from actors.cli.options import given, with_client, with_config
from actors.cli.tables import is_coloured, plain, print_answer

_REFRESH_SECONDS = 1.0
_STATES = {"running": "green", "starting": "cyan", "restarting": "yellow", "parked": "red", "overrun": "red"}


@click.command()
@click.option("--job", "job_id", help="Events of this job only.")
@click.option("--type", "types", multiple=True, help="Events of this type only; repeatable.")
@click.option("--after", type=click.IntRange(0), help="Begin after the event with this number, instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@with_config
def watch(as_json: bool, config: str | None, **filters: Any) -> None:
    """Print every event as it happens, until Ctrl-C.

    --url may also be the address of an event feed, such as wss://HOST:PORT.
    """
    query = given(filters)
    if (feed := address.feed_url()) is not None:
        from actors.cli.remote import watch_feed

        watch_feed(*feed, query, as_json=as_json)
        return
    from actors.cli.event_stream import Patience, events
    from actors.cli.event_text import describe, missing_events

    client = Client(config)
    patience = Patience(client)
    if "job_id" in query:  # another job may get its name meanwhile
        query["job_id"] = client.request("GET", "api", "jobs", query["job_id"])["job_id"]

    @functools.cache
    def name(job_id: str) -> str | None:
        try:
            job = patience.ask(lambda: client.request("GET", "api", "jobs", job_id))
        except Failed:  # it was removed since
            return None
        return name_and_user(job)

    for kind, event in events(client, query, patience):
        if kind == "connection":
            click.echo("Connected; Ctrl-C ends this.", err=True)
        elif kind == "gap" and not as_json:
            click.echo(missing_events(event), err=True)
        elif kind != "goodbye":
            if as_json:
                click.echo(orjson.dumps(event))
            else:
                click.echo(describe(event, name(event["job_id"]) if event.get("job_id") else None))
    raise Failed("the supervisor has stopped")


@click.command()
@click.option("-w", "--watch", "follow", is_flag=True, help="Refresh every second, until Ctrl-C.")
@click.option("--start", "parked", metavar="NAME", help="First start this parked actor or server again.")
@with_client
def tree(client: Client, as_json: bool, follow: bool, parked: str | None) -> None:
    """Show the supervision tree.

    For each actor: its state, since when, how often it was restarted, and how many messages are in its mailbox.
    """
    if parked is not None:
        client.request("POST", "api", "actors", parked, "start")
    while True:
        found = client.request("GET", "api", "actors")["children"]
        if follow and not as_json:
            click.clear()
        print_answer(found, as_json, lambda nodes: click.echo("\n".join(["greenroom", *_branches(nodes)])))
        if as_json or not follow:
            return
        time.sleep(_REFRESH_SECONDS)


def _branches(nodes: list[dict[str, Any]], before: str = "") -> Iterator[str]:
    for node in nodes:
        mark, below = ("└── ", "    ") if node is nodes[-1] else ("├── ", "│   ")
        state, details = node["state"], plain(_details(node))
        if is_coloured():
            state, details = click.style(state, fg=_STATES.get(state)), click.style(details, dim=True)
        yield f"{before}{mark}{plain(node['id'])}  {state}{details}"
        yield from _branches(node.get("children") or [], before + below)


def _details(node: dict[str, Any]) -> str:
    words = []
    if node["uptime"] is not None:
        words.append(f"for {lasted(node['uptime'])}")
    if node["restarts"]:
        words.append(f"incarnation {node['incarnation']}, restarted {node['restarts']} times")
        words.append(f"{node['recent_restarts']} of them in the window")
    if mailbox := node.get("mailbox"):
        words.append(f"mailbox {mailbox['depth']}/{mailbox['capacity']}, at most {mailbox['high_water']}")
    if node["last_exit"] and node["last_exit"] != "normal":
        words.append(f"last exit: {node['last_exit']}")
    return "".join(f"  {one}" for one in words)
