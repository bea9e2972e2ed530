"""The options that commands have in common, and the client that most of them need."""

from __future__ import annotations

import functools
import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from actors.cli.address import program
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.tables import plain

F = TypeVar("F", bound=Callable[..., Any])


class _Quantity(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    """A parameter that is read by a function of :mod:`actors.jobs.quantities`."""

    def __init__(self, name: str, reader: str) -> None:
        self.name = name
        self._reader = reader

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``value`` as a number of seconds or bytes."""
        from actors.jobs import quantities

        if not isinstance(value, str):
            return value
        try:
            return getattr(quantities, self._reader)(value.strip())
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Finite(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions only
    """A number that is neither infinite nor NaN, because JSON has no such numbers."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """``value`` as a number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"must be a finite number, not {value!r:.80}", param, ctx)
        return number


FINITE = _Finite()
DURATION = _Quantity("duration", "seconds_of")
"""Seconds, written as ``90``, ``15m`` or ``1d12h``."""
SIZE = _Quantity("size", "bytes_of")
"""Bytes, written as a number or as ``8GiB``."""


def with_config(command: F) -> F:
    """``--config FILE``."""
    return click.option("--config", type=click.Path(dir_okay=False), help="Use this configuration file only.")(command)


def with_json(command: F) -> F:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """``--json`` and ``--config`` for a command that needs the supervisor: it is called with a client and ``as_json``.

    A group with this runs only if no subcommand was named.
    """

    @with_json
    @with_config
    @functools.wraps(command)
    def run(config: str | None, **options: Any) -> None:
        if click.get_current_context().invoked_subcommand is not None:
            return
        client = Client(config)
        try:
            command(client, **options)
        except (KeyError, TypeError) as missing:
            if not client.supervisor.is_network:
                raise
            message = f"{client.supervisor.name} seems to run another version of Greenroom: what it answered lacks"
            raise Failed(f"{message} {missing}") from None

    return run


def with_pages(default: int) -> Callable[[F], F]:
    """``--limit`` and ``--cursor`` for a list that is read in pages; both are also parameters of the query."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 1000), default=default, show_default=True, help="Rows per page."
    )
    cursor = click.option("--cursor", help="Continue after the previous page, which prints this value.")
    return lambda command: limit(cursor(command))


def unchecked(no_check: bool) -> dict[str, str]:
    """The parameters of a submission for ``--no-check``."""
    return {"check": "false"} if no_check else {}


def print_warnings(accepted: Iterable[Mapping[str, Any]]) -> None:
    """Print the warnings about requests that were accepted all the same; each text once."""
    for text, number in Counter(text for job in accepted for text in job["warnings"]).items():
        click.echo(f"warning: {plain(text)}{f' ({number} jobs)' if number > 1 else ''}", err=True)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given. Defaults are left out, because only the API has them."""
    return {name: value for name, value in values.items() if value not in (None, ())}


def next_page(command: str, filters: Mapping[str, Any], **place: str) -> str:
    """The line that says how to ask for the next page of a list, with its ``filters`` as they were typed.

    ``place``: the option that says where that page begins.
    """
    words = ["more:", program(), command]
    for name, value in given({**filters, "limit": None, "cursor": None, **dict.fromkeys(place), **place}).items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name.removesuffix('_id')}", shlex.quote(one)]
    return " ".join(words)
