"""HTTP/1.1 to a supervisor, as much as a client command needs: one request for each connection.

Not :mod:`http.client`: importing it takes as long as half of ``import click``, and every command would wait for that.
The server is our own and was checked when the connection was made; what it sends that is no HTTP/1.1 with a length
or in chunks is a :class:`BrokenAnswer`, and so is an answer that ends before it is whole.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from urllib.parse import urlencode

_LONGEST_LINE = 65_536


class Unreachable(Exception):
    """There is no connection to the server; the cause is an ``OSError``."""


class BrokenAnswer(Exception):
    """The other end closed the connection before its answer was whole, or sent something that is no HTTP/1.1."""


class NoAnswer(Exception):
    """The server sent nothing for longer than the limit."""


class Answer:
    """The answer to a request, while its connection is open."""

    def __init__(self, source: BufferedReader) -> None:
        self._source = source
        with _explained():
            self.status = int(self._line().removeprefix("HTTP/1.1 ")[:3])
            self._headers: dict[str, str] = {}
            while line := self._line():
                name, _, value = line.lower().partition(":")
                self._headers[name] = value.strip()

    def header(self, name: str) -> str | None:
        """A header of the answer, by its name in lower case."""
        return self._headers.get(name)

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        with _explained():
            if self._headers.get("transfer-encoding") != "chunked":
                yield self._exactly(int(self._headers["content-length"]))
                return
            while size := int(self._line(), 16):
                yield self._exactly(size)
                self._line()

    def lines(self) -> Iterator[str]:
        """The body's lines as they arrive, without their ends."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")

    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces())

    def _line(self) -> str:
        line = self._source.readline(_LONGEST_LINE)
        if not line.endswith(b"\r\n"):
            raise ValueError
        return line[:-2].decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) != size:
            raise ValueError
        return data


@contextmanager
def _explained() -> Iterator[None]:
    """Around what is sent and read, and nothing else: errors of the program that takes the answer are its own."""
    try:
        yield
    except TimeoutError:
        raise NoAnswer from None
    except (OSError, ValueError, KeyError):
        raise BrokenAnswer from None


class Transport:
    """Sends requests to one server. ``connect`` opens a connection to it; ``headers`` go with each request."""

    def __init__(self, connect: Callable[[], socket.socket], headers: Mapping[str, str]) -> None:
        self._connect = connect
        self._headers = headers

    @contextmanager
    def request(
        self, method: str, path: str, *, params: Mapping[str, object] | None = None, body: bytes | None = None,
        seconds: float | None = None,
    ) -> Iterator[Answer]:  # fmt: skip
        """Send one request; the block has its answer. ``path`` is quoted already.

        ``seconds``: the most between two pieces of what the server sends; None: no limit. Raises
        :class:`Unreachable`, :class:`NoAnswer` and :class:`BrokenAnswer`.
        """
        headers = {**self._headers, "Connection": "close"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        target = f"{path}?{urlencode(params, doseq=True)}" if params else path
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())])
        try:
            opened = self._connect()
        except OSError as error:
            raise Unreachable from error
        with opened as connection, connection.makefile("rb") as source:
            connection.settimeout(seconds)
            with _explained(), suppress(ConnectionError):  # it may refuse a request before it has read all of it
                connection.sendall(head.encode("ascii") + b"\r\n\r\n" + (body or b""))
            yield Answer(source)
