"""Commands that follow what happens: watch, tree."""

from __future__ import annotations

import time
from typing import Any

import click
import orjson

from actors.cli.context import BadInput, Failed
from actors.cli.options import with_config, with_json
from actors.cli.output import console, lasted, name_of, plain, print_json

_LOOK_SECONDS = 1.0
_STATES = {"running": "green", "starting": "cyan", "restarting": "yellow", "parked": "red", "overrun": "red"}


@click.command()
@click.option("--job", help="Only this job.")
@click.option("--type", "types", multiple=True, help="Only events of this type; repeatable.")
@click.option("--after", type=click.IntRange(0), help="Begin after the event of this number, instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--url", metavar="ws://HOST:PORT", help="Watch another machine's supervisor, through its event feed.")
@click.option("--token-file", type=click.Path(dir_okay=False), help="The token for --url; else the state directory's.")
@with_config
def watch(
    job: str | None,
    types: tuple[str, ...],
    after: int | None,
    as_json: bool,
    url: str | None,
    token_file: str | None,
    config: str | None,
) -> None:
    """Print every change as it happens, until Ctrl-C."""
    query: dict[str, Any] = {"types": list(types)}
    query |= {key: value for key, value in (("job_id", job), ("after", after)) if value is not None}
    if url is None and token_file is not None:
        raise BadInput("--token-file is for --url; this machine's own supervisor asks for no token")
    if url is not None:
        from actors.cli.remote import watch_feed

        watch_feed(url, token_file, query, as_json=as_json, config=config)
    else:
        _watch_socket(query, as_json, config)


def _watch_socket(query: dict[str, Any], as_json: bool, config: str | None) -> None:
    from actors.cli.client import Client
    from actors.cli.event_text import describe, parsed

    client = Client(config)
    names = _Names(client)
    with client.stream("api", "events", params=query) as answered:
        for kind, event in parsed(answered.iter_lines()):
            if kind == "goodbye":
                break
            if kind == "connection":
                click.echo("Connected; Ctrl-C ends this.", err=True)
            elif as_json:
                click.echo(orjson.dumps(event))
            else:
                click.echo(describe(event, names.of(event.get("job_id"))))
    raise Failed("the supervisor has stopped")


class _Names:
    """The names that people gave to jobs, each asked for once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, str] = {}

    def of(self, job_id: str | None) -> str | None:
        """The name of one job with its user's."""
        if job_id is None:
            return None
        if job_id not in self._known:
            try:
                job = self._client.ask("GET", "api", "jobs", job_id)
            except Failed:  # it was removed since
                return None
            self._known[job_id] = f"{name_of(job)} ({job['user_id']})"
        return self._known[job_id]


@click.command()
@click.option("-w", "--watch", "follow", is_flag=True, help="Look again every second, until Ctrl-C.")
@with_json
@with_config
def tree(follow: bool, as_json: bool, config: str | None) -> None:
    """Show the supervision tree: who is alive, since when, restarted how often, and what waits in each mailbox."""
    from actors.cli.client import Client

    client = Client(config)
    found = client.ask("GET", "api", "actors")["children"]
    if as_json:
        print_json(found)
        return
    if not follow:
        console().print(drawn(found))
        return
    from rich.live import Live

    with Live(drawn(found), console=console(), auto_refresh=False) as live:
        while True:
            time.sleep(_LOOK_SECONDS)
            live.update(drawn(client.ask("GET", "api", "actors")["children"]), refresh=True)


def drawn(children: list[dict[str, Any]]) -> Any:
    """The tree for a terminal."""
    from rich.text import Text
    from rich.tree import Tree

    root = Tree("greenroom")

    def below(parent: Tree, nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            line = Text(plain(node["id"]))
            line.append(f"  {node['state']}", style=_STATES.get(node["state"], ""))
            line.append(plain(_details(node)), style="dim")
            below(parent.add(line), node.get("children") or [])

    below(root, children)
    return root


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
