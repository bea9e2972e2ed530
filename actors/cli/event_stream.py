"""Streams of events: over the network they continue after a lost connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from actors.cli.client import Client
from actors.cli.context import TryLater
from actors.cli.event_text import parsed

T = TypeVar("T")
_MOST_PAUSE = 30.0
_MOST_ASKED = 120.0
"""The most seconds to wait that a server may ask for."""
GIVE_UP_SECONDS = 900.0
"""After pauses of this many seconds in all, without an answer in between, it gives up."""


class Patience:
    """Repeats requests that failed for a reason that may pass: the network, or the rates and stream limits of a server.

    At this user's own supervisor, which has neither, nothing is repeated.
    """

    def __init__(self, client: Client, sleep: Callable[[float], object] | None = None) -> None:
        self._is_own = client.supervisor.is_own
        self._sleep = time.sleep if sleep is None else sleep
        self._waited, self._tries = 0.0, 0

    def reset(self) -> None:
        """There was an answer: begin anew with short pauses."""
        self._waited, self._tries = 0.0, 0

    def pause(self, failure: TryLater) -> None:
        """Print what failed and wait, longer each time. Raises ``failure`` if that has lasted too long."""
        if self._is_own or self._waited >= GIVE_UP_SECONDS:
            raise failure
        seconds = max(min(2.0**self._tries, _MOST_PAUSE), min(failure.seconds or 0, _MOST_ASKED))
        click.echo(f"({failure.message}; going on in {seconds:g} s)", err=True)
        self._sleep(seconds)
        self._waited += seconds
        self._tries += 1

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to ``question``, which changes nothing and so may be repeated."""
        while True:
            try:
                found = question()
            except TryLater as failure:
                self.pause(failure)
            else:
                self.reset()
                return found


def events(
    client: Client, params: dict[str, Any], patience: Patience, *, is_begun: bool = False,
    path: tuple[str, ...] = ("api", "events"), resume: str = "after",
) -> Iterator[tuple[str, dict[str, Any]]]:  # fmt: skip
    """The events that ``params`` select as (name, document); each connection begins with a ``connection``.

    It ends with the supervisor's ``goodbye``, or where the server ends the stream. ``is_begun``: the first connection,
    too, is tried again. ``path``: of another stream; ``resume``: its parameter for the id of the last event received.
    """
    last: str | None = None
    while True:
        try:
            going_on = {} if last is None else {resume: last}
            with client.stream(*path, params={**params, **going_on}) as answer:
                for kind, event, id_ in parsed(answer.lines()):
                    is_begun, last = True, id_ or last
                    patience.reset()
                    yield kind, event
                    if kind == "goodbye":
                        return
            return
        except TryLater as failure:
            if not is_begun:
                raise
            patience.pause(failure)
