"""HTTP/1.1 to a supervisor, as far as client commands need it: one request on each connection.

Not :mod:`http.client`: importing it takes as long as half of ``import click``, and every command would wait for that.
If the server sends anything but HTTP/1.1 with a length or in chunks, or if an answer ends early, that is a
:class:`BrokenAnswer`. On the network the server may be hostile: what it sends is bounded in size and, if the answer is
a document, in time.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlencode

Received = Literal["part", "nothing", "other"]
_VERSION = b"HTTP/1."
_LONGEST_LINE = 65_536
_MOST_HEADERS = 200
_INTERIM = (100, 102, 103)
"""Statuses that a server or a proxy may send before the answer (RFC 9110, 15.2)."""
_MOST_INTERIM = 10
_PIECE = 65_536
_LARGEST_BODY = 512 << 20
"""The most bytes of a document: the answer about ten thousand jobs has some tens of MiB."""
_LONGEST_TEXT = 32 << 20
"""The most bytes of one line of a stream: an event has at most the data of one job."""
_WHOLE = 10
"""A document must be complete within this many times the seconds in which a part of it must arrive."""


class Unreachable(Exception):
    """There is no connection to the server, because of ``error``."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


class BrokenAnswer(Exception):
    """The other end closed the connection before its answer was complete, or sent no HTTP/1.1.

    ``received``: a ``part`` of an answer, ``nothing``, or something ``other``.
    """

    def __init__(self, received: Received = "part") -> None:
        super().__init__()
        self.received: Received = received


class NoAnswer(Exception):
    """The server sent nothing for longer than the limit."""


class _Reader:
    """Reads what arrives on ``connection``, line by line or in pieces.

    ``seconds``: the most between two pieces; None: no limit. ``whole``: the most until the end; None: no limit.
    """

    def __init__(self, connection: socket.socket, seconds: float | None, whole: float | None) -> None:
        self._connection = connection
        self._seconds = seconds
        self._end = None if whole is None else time.monotonic() + whole
        self._buffer = bytearray()

    def line(self) -> str:
        """A line, without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LONGEST_LINE:
                raise ValueError
            self._buffer += self._received()
        line = self._taken(end + 1)
        if not line.endswith(b"\r\n") or len(line) > _LONGEST_LINE:
            raise ValueError
        return line[:-2].decode("latin-1")

    def piece(self, most: int) -> bytes:
        """What has arrived, at most ``most`` bytes of it."""
        if not self._buffer:
            self._buffer += self._received()
        return self._taken(most)

    def left(self) -> bytes:
        """What has arrived and was not read yet."""
        return bytes(self._buffer)

    def _taken(self, most: int) -> bytes:
        found = bytes(self._buffer[:most])
        del self._buffer[:most]
        return found

    def _received(self) -> bytes:
        seconds = self._seconds
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            seconds = left if seconds is None else min(seconds, left)
        self._connection.settimeout(seconds)
        data = self._connection.recv(_PIECE)
        if not data:
            raise ValueError
        return data


class Answer:
    """The answer to a request, while its connection is open."""

    def __init__(self, source: _Reader) -> None:
        self._source = source
        with _explained():
            for _ in range(_MOST_INTERIM):
                self.status = self._status()
                self.headers = self._read_headers()
                if self.status not in _INTERIM:
                    return
            raise ValueError

    def header(self, name: str) -> str | None:
        """A header of the answer, by its name in lower case."""
        return self.headers.get(name)

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        with _explained():
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                yield from self._exactly(_number(self.headers["content-length"], 10))
                return
            while size := _number(self._source.line().partition(";")[0].strip(), 16):
                yield from self._exactly(size)
                if self._source.line():
                    raise ValueError

    def lines(self) -> Iterator[str]:
        """The body's lines as they arrive, without their ends."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
            if len(rest) > _LONGEST_TEXT:
                raise BrokenAnswer

    def body(self) -> bytes:
        """The whole body."""
        found = bytearray()
        for piece in self.pieces():
            found += piece
            if len(found) > _LARGEST_BODY:
                raise BrokenAnswer
        return bytes(found)

    def _status(self) -> int:
        try:
            line = self._source.line()
        except ValueError:
            left = self._source.left()
            raise BrokenAnswer("nothing" if not left else "part" if left.startswith(_VERSION) else "other") from None
        if not line.startswith(_VERSION.decode()):
            raise BrokenAnswer("other")
        return _number(line.partition(" ")[2][:3], 10)

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            if not (line := self._source.line()):
                return headers
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        raise ValueError

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            data = self._source.piece(size)
            size -= len(data)
            yield data


def _number(text: str, base: int) -> int:
    """A number without a sign, blank or underscore, which ``int`` would accept."""
    if not text.isalnum():
        raise ValueError
    return int(text, base)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns errors of sending and receiving into ours. The code that uses the answer is outside, so its errors are
    unchanged.
    """
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
        seconds: float | None = None, is_stream: bool = False,
    ) -> Iterator[Answer]:  # fmt: skip
        """Send one request; the block has its answer. ``path`` is already quoted.

        ``seconds``: the most between two pieces of what the server sends; None: no limit. The answer must be complete
        within ten times as long, unless it ``is_stream``. Raises :class:`Unreachable`, :class:`NoAnswer` and
        :class:`BrokenAnswer`.
        """
        headers = {**self._headers, "Connection": "close"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        target = f"{path}?{urlencode(params, doseq=True)}" if params else path
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())])
        try:
            opened = self._connect()
        except OSError as error:
            raise Unreachable(error) from None
        with opened as connection:
            connection.settimeout(seconds)
            try:
                connection.sendall(head.encode("ascii") + b"\r\n\r\n" + (body or b""))
            except TimeoutError:
                raise NoAnswer from None
            except OSError:  # it may refuse a request before it has read all of it: what it sent says why
                pass
            whole = None if is_stream or seconds is None else _WHOLE * seconds
            yield Answer(_Reader(connection, seconds, whole))
