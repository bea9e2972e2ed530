"""Requests to the supervisor through its Unix socket; reads from the store where none runs (C4)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import click
import orjson

from actors.cli.context import BadInput, Failed, state_directory
from actors.cli.transport import Answer, BrokenAnswer, NoAnswer, Transport, Unreachable
from actors.cli.trust import connect, socket_of

WAIT_SECONDS = 30.0
"""For one answer; if a transaction of the supervisor takes longer, its log has the reason."""
SILENCE_SECONDS = 60.0
"""Without a byte on a stream of events, whose heartbeat comes every 15 s."""
_OK, _BAD_REQUEST, _SERVER_ERROR = 200, 400, 500
_BAD_INPUT = (400, 413, 422)


class NoSupervisor(Failed):
    """No supervisor listens on the socket of this state directory."""


class Client:
    """Requests to one supervisor. All raise :class:`NoSupervisor`, :class:`BadInput` or :class:`Failed`."""

    def __init__(self, config: str | None = None) -> None:
        self.config = config
        self._noted: set[str] = set()
        self.state_dir = state_directory(config)
        self._socket = socket_of(self.state_dir)
        headers = {"Host": "greenroom", "X-Correlation-ID": os.urandom(16).hex()}
        self._transport = Transport(lambda: connect(self._socket), headers)

    def request(
        self, method: str, *path: str, body: Any = None, params: Any = None, seconds: float = WAIT_SECONDS
    ) -> Any:
        """Send one request and return the document that answers it, within so many ``seconds``."""
        content = None if body is None else orjson.dumps(body)
        with self._answer(method, path, params, seconds, content) as answer:
            return document_of(answer.status, answer.body())

    def read(self, *path: str, params: Any = None) -> Any:
        """A document made of rows alone: from the supervisor or, where none runs, from the store."""
        try:
            return self.request("GET", *path, params=params)
        except NoSupervisor as missing:
            from actors.cli.offline import get

            status, content, newest = get(self.config, address(path), params)
            found = document_of(status, content)
            self.note_offline(missing)
            self.note_newest(newest)
            return found

    def request_all(self, name: str, *path: str) -> list[Any]:
        """All rows of the list under ``name``, page by page."""
        page = self.request("GET", *path)
        rows = list(page[name])
        while page["next"] is not None:
            page = self.request("GET", *path, params={"cursor": page["next"]})
            rows += page[name]
        return rows

    def note_offline(self, missing: NoSupervisor) -> None:
        """Print to stderr that what follows was read from the store."""
        self._note(f"({missing.message.splitlines()[0]}; this is read from the store)")

    def note_newest(self, named: str | None) -> None:
        """Print to stderr that the newest of several jobs of one name is meant; ``named``: ``ID; of=NUMBER``."""
        if named is not None:
            job_id, _, number = named.partition("; of=")
            self._note(f"({number} jobs have this name; the newest is {job_id})")

    def _note(self, text: str) -> None:
        """Print to stderr, once, however many requests a command sends."""
        if text not in self._noted:
            self._noted.add(text)
            click.echo(text, err=True)

    @contextmanager
    def stream(self, *path: str, params: Any = None, silence: float | None = SILENCE_SECONDS) -> Iterator[Answer]:
        """An answer that comes in pieces; ``silence``: the most seconds between two of them."""
        with self._answer("GET", path, params, silence) as answer:
            if answer.status != _OK:
                document_of(answer.status, answer.body())
            yield answer

    @contextmanager
    def _answer(
        self, method: str, path: tuple[str, ...], params: Any, seconds: float | None, content: bytes | None = None
    ) -> Iterator[Answer]:
        try:
            with self._transport.request(method, address(path), params=params, body=content, seconds=seconds) as answer:
                self.note_newest(answer.header("x-newest-job"))
                yield answer
        except Unreachable as failure:
            if isinstance(failure.__cause__, PermissionError):
                raise Failed(f"{self._socket} is another user's") from None
            if isinstance(failure.__cause__, BlockingIOError):
                raise Failed(self._silent()) from None
            raise NoSupervisor(self._why_none()) from None
        except NoAnswer:
            raise Failed(self._silent()) from None
        except BrokenAnswer:
            raise Failed("the supervisor went away before it had answered; jobs that run go on running") from None

    def _silent(self) -> str:
        return f"the supervisor of {self.state_dir} does not answer"

    def _why_none(self) -> str:
        from actors.store.state_directory import holder

        held_by = holder(self.state_dir)
        if held_by is not None:
            return f"{held_by} holds {self.state_dir} but does not listen on its socket; its log says why"
        return f"no supervisor runs on {self.state_dir}\nstart one: greenroom run"


def address(path: tuple[str, ...]) -> str:
    """``("api", "jobs", id)`` as a path, each part quoted."""
    return "/" + "/".join(quote(part, safe="") for part in path)


def document_of(status: int, content: bytes) -> Any:
    """The document of an answer. Raises the failure that a problem document describes."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Failed(f"the supervisor answered with status {status} and no JSON") from None
    if status < _BAD_REQUEST:
        return document
    detail = document.get("detail", f"status {status}")
    if status >= _SERVER_ERROR:
        raise Failed(f"{detail} (correlation ID {document.get('correlation_id')})")
    raise (BadInput if status in _BAD_INPUT else Failed)(detail)
