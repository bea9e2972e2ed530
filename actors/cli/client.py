"""Requests to the supervisor through its Unix socket; reads from the store where none runs (C4)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx
import orjson

from actors.cli.context import BadInput, Failed, load_settings
from actors.cli.trust import socket_of, transport_to
from actors.store.state_directory import holder
from logconf import new_correlation_id

WAIT_SECONDS = 30.0
"""For one answer; if a transaction of the supervisor takes longer, its log has the reason."""
SILENCE_SECONDS = 60.0
"""Without a byte on a stream of events, whose heartbeat comes every 15 s."""
_SERVER_ERROR = 500
_BAD_INPUT = (400, 413, 422)


class NoSupervisor(Failed):
    """No supervisor listens on the socket of this state directory."""


class Client:
    """Requests to one supervisor. All raise :class:`NoSupervisor`, :class:`BadInput` or :class:`Failed`."""

    def __init__(self, config: str | None = None) -> None:
        self.config = config
        self.settings = load_settings(config)
        self.state_dir: Path = self.settings.state_dir
        self._socket = socket_of(self.state_dir)
        self._http = httpx.Client(
            transport=transport_to(self._socket),
            base_url="http://greenroom",
            timeout=httpx.Timeout(WAIT_SECONDS, connect=5.0),
            headers={"X-Correlation-ID": new_correlation_id()},
        )

    def request(self, method: str, *path: str, body: Any = None, params: Any = None) -> Any:
        """Send one request and return the document that answers it."""
        content = None if body is None else orjson.dumps(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        with self._explained():
            answer = self._http.request(method, address(path), content=content, params=params, headers=headers)
        return document_of(answer.status_code, answer.content)

    def read(self, *path: str, params: Any = None) -> Any:
        """A document made of rows alone: from the supervisor or, where none runs, from the store."""
        try:
            return self.request("GET", *path, params=params)
        except NoSupervisor as missing:
            from actors.cli.offline import get

            found = document_of(*get(self.settings, address(path), params))
            self.note_offline(missing)
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
        click.echo(f"({missing.message.splitlines()[0]}; this is read from the store)", err=True)

    @contextmanager
    def stream(
        self, *path: str, params: Any = None, silence: float | None = SILENCE_SECONDS
    ) -> Iterator[httpx.Response]:
        """An answer that comes in pieces; ``silence``: the most seconds between two of them."""
        timeout = httpx.Timeout(WAIT_SECONDS, connect=5.0, read=silence)
        with self._explained(), self._http.stream("GET", address(path), params=params, timeout=timeout) as answer:
            if answer.status_code != httpx.codes.OK:
                document_of(answer.status_code, answer.read())
            yield answer

    @contextmanager
    def _explained(self) -> Iterator[None]:
        self._check_listens()
        try:
            yield
        except httpx.ConnectError:
            raise NoSupervisor(self._why_none()) from None
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            raise Failed("the supervisor went away before it had answered; jobs that run go on running") from None
        except httpx.TimeoutException:
            raise Failed(f"the supervisor of {self.state_dir} does not answer") from None

    def _check_listens(self) -> None:
        """Connect once before httpx does: httpx 0.28 leaves a socket open when nobody listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self._socket))
            except PermissionError:
                raise Failed(f"{self._socket} is another user's") from None
            except OSError:
                raise NoSupervisor(self._why_none()) from None

    def _why_none(self) -> str:
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
    if status < httpx.codes.BAD_REQUEST:
        return document
    detail = document.get("detail", f"status {status}")
    if status >= _SERVER_ERROR:
        raise Failed(f"{detail} (correlation ID {document.get('correlation_id')})")
    raise (BadInput if status in _BAD_INPUT else Failed)(detail)
