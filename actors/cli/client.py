"""Requests to a supervisor, on this machine or another; if none runs here, the store is read (C4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

import click
import orjson

from actors.cli.address import Address, NoSupervisor, chosen
from actors.cli.context import BadInput, Failed, TryLater, configured_env_from
from actors.cli.tables import plain
from actors.cli.transport import Answer, BrokenAnswer, NoAnswer, Transport, Unreachable

WAIT_SECONDS = 30.0
"""Seconds to wait for one answer; if a transaction of the supervisor takes longer, its log has the reason."""
MANY_SECONDS = 300.0
"""Seconds to wait for the answer about ten thousand jobs."""
SILENCE_SECONDS = 60.0
"""Seconds without a byte on a stream of events, whose heartbeat comes every 15 s, after which it counts as broken."""
_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_BAD_INPUT = (400, 413, 422)
_TRY_LATER = (429, 503)
_DIGITS = 6
"""The most digits of a number of seconds that is shown."""


def _encoded(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # a whole number of more than 64 bits: the server says for which field it is too large
        import json

        return json.dumps(body).encode()


class Client:
    """Sends requests to one supervisor. All raise :class:`NoSupervisor`, :class:`BadInput` or :class:`Failed`.

    ``supervisor``: None means the one that the command line and the environment name.
    """

    def __init__(self, config: str | None = None, supervisor: Address | None = None) -> None:
        self.config = config
        self.supervisor = chosen(config) if supervisor is None else supervisor
        self._noted: set[str] = set()
        self._correlation_id = os.urandom(16).hex()
        headers = {**self.supervisor.headers, "X-Correlation-ID": self._correlation_id}
        self._transport = Transport(self.supervisor.connect, headers)

    def request(
        self, method: str, *path: str, body: Any = None, params: Any = None, seconds: float = WAIT_SECONDS
    ) -> Any:
        """Send one request and return the document of the answer, which must come within ``seconds``."""
        content = None if body is None else _encoded(body)
        with self._answer(method, path, params, seconds, content) as answer:
            return document_of(answer.status, answer.body(), answer.header("retry-after"))

    def read(self, *path: str, params: Any = None) -> Any:
        """A document made from rows alone: from the supervisor or, if none runs, from the store."""
        try:
            return self.request("GET", *path, params=params)
        except NoSupervisor as missing:
            from actors.cli.offline import get

            status, content, newest = get(self.config, address(path), params)
            found = document_of(status, content)
            self.note_offline(missing)
            self.note_newest(newest)
            return found

    def all_rows(self, name: str, *path: str, params: Any = None, of_store: bool = False) -> list[Any]:
        """All rows of the list under ``name``, page by page. ``of_store``: also where no supervisor runs."""
        ask = self.read if of_store else partial(self.request, "GET")
        rows: list[Any] = []
        place: dict[str, str] | None = {}
        while place is not None:
            page = ask(*path, params={**(params or {}), **place})
            rows += page[name]
            place = {"cursor": page["next"]} if page["next"] else None
        return rows

    def inherits(self) -> tuple[str, ...] | None:
        """The variables that jobs inherit by the settings, in addition to the usual ones; None: nothing is sent from
        here.

        Another user's supervisor on this machine says whether it accepts them, as parts of commands (F2).
        """
        supervisor = self.supervisor
        if supervisor.is_own or (not supervisor.is_network and self.request("GET", "api", "session")["commands"]):
            return configured_env_from(self.config)
        if configured_env_from(self.config):
            where = "over the network" if supervisor.is_network else "to another user's supervisor"
            self._note(f"(submission.env_from is not sent {where}: the supervisor's environment is used)")
        return None

    def note_offline(self, missing: NoSupervisor) -> None:
        """Print to stderr that what follows was read from the store."""
        self._note(f"({missing.message.splitlines()[0]}; this is read from the store)")

    def note_newest(self, named: str | None) -> None:
        """Print to stderr that the newest of several jobs of one name is used; ``named``: ``ID; of=NUMBER``."""
        if named is not None:
            job_id, _, number = plain(named).partition("; of=")
            self._note(f"({number} jobs have this name; the newest is {job_id})")

    def _note(self, text: str) -> None:
        """Print to stderr, once for each text, however many requests a command sends."""
        if text not in self._noted:
            self._noted.add(text)
            click.echo(text, err=True)

    @contextmanager
    def stream(self, *path: str, params: Any = None, silence: float | None = SILENCE_SECONDS) -> Iterator[Answer]:
        """An answer that arrives in pieces; ``silence``: the most seconds between two of them."""
        with self._answer("GET", path, params, silence, is_stream=True) as answer:
            if answer.status != _OK:
                document_of(answer.status, answer.body(), answer.header("retry-after"))
            yield answer

    @contextmanager
    def _answer(
        self, method: str, path: tuple[str, ...], params: Any, seconds: float | None, content: bytes | None = None, *,
        is_stream: bool = False,
    ) -> Iterator[Answer]:  # fmt: skip
        target = self.supervisor.prefix + address(path)
        try:
            with self._transport.request(
                method, target, params=params, body=content, seconds=seconds, is_stream=is_stream
            ) as answer:
                self.supervisor.check(answer.status, answer.headers, self._correlation_id)
                self.note_newest(answer.header("x-newest-job"))
                yield answer
        except Unreachable as failure:
            raise self.supervisor.unreachable(failure.error) from None
        except NoAnswer:
            raise self.supervisor.silent(method) from None
        except BrokenAnswer as failure:
            raise self.supervisor.broken(method, failure.received) from None


def address(path: tuple[str, ...]) -> str:
    """``("api", "jobs", id)`` as a path, each part quoted. Raises :class:`BadInput` for an id that is empty."""
    if "" in path:
        raise BadInput("an id or a name must not be empty")
    return "/" + "/".join(quote(part, safe="") for part in path)


def document_of(status: int, content: bytes, retry_after: str | None = None) -> Any:
    """The document of an answer. Raises the error that a problem document describes.

    ``retry_after``: the header of that name, a number of seconds.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Failed(f"the supervisor answered with status {status} and no JSON") from None
    if status < _BAD_REQUEST:
        return document
    problem = document if isinstance(document, dict) else {}
    detail = "\n".join(map(plain, str(problem.get("detail", f"status {status}")).splitlines()))
    if status >= _SERVER_ERROR:
        detail = f"{detail} (correlation ID {plain(problem.get('correlation_id'))})"
    if status in _TRY_LATER:
        if retry_after is None or not retry_after.isdecimal():
            raise TryLater(detail)
        seconds = int(retry_after[:_DIGITS])
        raise TryLater(f"{detail}; try again in {seconds} s", seconds)
    raise (BadInput if status in _BAD_INPUT else Failed)(detail)
