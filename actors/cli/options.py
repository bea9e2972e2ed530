"""The options that commands share, and the client that most of them need."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from actors.cli.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def with_config(command: F) -> F:
    """``--config FILE``."""
    return click.option("--config", type=click.Path(dir_okay=False), help="Use this configuration file only.")(command)


def with_json(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """``--json`` and ``--config`` of a command that needs the supervisor: it is called with a client and ``as_json``.

    A group with this runs only where no subcommand was named.
    """

    @with_json
    @with_config
    @functools.wraps(command)
    def run(config: str | None, **options: Any) -> None:
        if click.get_current_context().invoked_subcommand is None:
            command(Client(config), **options)

    return run


def with_pages(default: int) -> Callable[[F], F]:
    """``--limit`` and ``--cursor`` of a list that comes in pages; both are parameters of the query, too."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 1000), default=default, show_default=True, help="Rows per page."
    )
    cursor = click.option("--cursor", help="Continue after the previous page, which prints this value.")
    return lambda command: limit(cursor(command))


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, so that one place holds the defaults: the API."""
    return {name: value for name, value in values.items() if value not in (None, ())}
