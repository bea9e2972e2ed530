"""Answers of a supervisor as they come over the socket: whole, in pieces, late, or broken off."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from actors.cli import address
from actors.cli.address import NoSupervisor
from actors.cli.client import Client
from actors.cli.context import Failed
from actors.cli.transport import BrokenAnswer, NoAnswer, Transport, Unreachable

HEAD = b"HTTP/1.1 200 \r\n"


class Server:
    """The other end of each connection: it has sent its answer already."""

    def __init__(self) -> None:
        self.answer = b""
        self.ends = True
        self.sockets: list[socket.socket] = []

    def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.sockets.append(theirs)
        theirs.sendall(self.answer)
        if self.ends:
            theirs.shutdown(socket.SHUT_WR)
        return ours

    def received(self) -> bytes:
        return self.sockets[-1].recv(65_536)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    for one in made.sockets:
        one.close()


@pytest.fixture
def transport(server: Server) -> Transport:
    return Transport(server.connect, {"Host": "greenroom"})


def test_a_request_has_its_target_headers_and_body(server: Server, transport: Transport) -> None:
    server.answer = HEAD + b"Content-Length: 2\r\n\r\n{}"
    params = {"status": ("failed", "running"), "user_id": "a b&c"}
    with transport.request("POST", "/api/x%2Fy", params=params, body=b'{"a": 1}') as answer:
        assert (answer.status, answer.body()) == (200, b"{}")
    head, _, body = server.received().partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /api/x%2Fy?status=failed&status=running&user_id=a+b%26c HTTP/1.1"
    assert set(head.splitlines()[1:]) == {
        b"Host: greenroom", b"Connection: close", b"Content-Type: application/json", b"Content-Length: 8",
    }  # fmt: skip
    assert body == b'{"a": 1}'


def test_pieces_are_given_as_they_arrive(server: Server, transport: Transport) -> None:
    server.ends = False
    server.answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab\ncd\r\n"
    with transport.request("GET", "/", seconds=60) as answer:
        pieces = answer.pieces()
        assert next(pieces) == b"ab\ncd"
        server.sockets[-1].sendall(b"A\r\n0123456789\r\n0\r\n\r\n")
        assert list(pieces) == [b"0123456789"]


def test_lines_are_whole_however_the_pieces_are_cut(server: Server, transport: Transport) -> None:
    server.answer = HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\nab\nc\r\n3\r\nd\n\xc3\r\n2\r\n\xa4\n\r\n0\r\n\r\n"
    with transport.request("GET", "/") as answer:
        assert list(answer.lines()) == ["ab", "cd", "ä"]


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/1.1 200 \r\n", b"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n1234", b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 \r\nContent-Length: many\r\n\r\n", b"HTTP/1.1 200 \r\n\r\nno length", b"x" * 70_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_is_cut_short_is_never_taken_for_a_whole_one(
    answer: bytes, server: Server, transport: Transport
) -> None:
    server.answer = answer
    with pytest.raises(BrokenAnswer), transport.request("GET", "/") as found:
        found.body()


def test_a_head_without_end_is_not_read_to_it(server: Server, transport: Transport) -> None:
    server.answer = HEAD + b"a: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n"
    with pytest.raises(BrokenAnswer), transport.request("GET", "/"):
        pass


def test_what_may_come_before_an_answer_is_passed_over(server: Server, transport: Transport) -> None:
    server.answer = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n{}"
    with transport.request("GET", "/") as answer:
        assert (answer.status, answer.body(), answer.header("link")) == (200, b"{}", None)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_document_that_comes_byte_by_byte_has_an_end_and_a_stream_has_none(
    is_stream: bool, server: Server, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time; ten times that time is for all of them."""
    now = 0.0
    monkeypatch.setattr("actors.cli.transport.time.monotonic", lambda: now)
    server.ends = False
    server.answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with transport.request("GET", "/", seconds=30, is_stream=is_stream) as answer:
        pieces = answer.pieces()
        for _ in range(10):
            server.sockets[-1].sendall(b"1\r\nx\r\n")
            assert next(pieces) == b"x"
            now += 29
        now += 29
        server.sockets[-1].sendall(b"1\r\nx\r\n")
        if is_stream:
            assert next(pieces) == b"x"
        else:
            with pytest.raises(NoAnswer):
                next(pieces)


def test_silence_and_a_connection_that_is_refused_are_told_apart(server: Server, transport: Transport) -> None:
    server.ends = False
    with pytest.raises(NoAnswer), transport.request("GET", "/", seconds=0.001):
        pass

    def refuse() -> socket.socket:
        raise ConnectionRefusedError

    with pytest.raises(Unreachable), Transport(refuse, {}).request("GET", "/"):
        pass


def test_a_request_that_is_answered_before_it_is_sent_whole_has_that_answer(
    server: Server, transport: Transport
) -> None:
    """413: the server reads no further and closes."""
    server.answer = b"HTTP/1.1 413 \r\nContent-Length: 2\r\n\r\n{}"

    def connect_and_close() -> socket.socket:
        ours = server.connect()
        server.sockets.pop().close()
        return ours

    with Transport(connect_and_close, {}).request("POST", "/", body=b"x" * 1_000_000) as answer:
        assert (answer.status, answer.body()) == (413, b"{}")


@pytest.fixture
def client(server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.setattr(address, "connect", lambda _path: server.connect())
    return Client()


def test_what_went_wrong_is_said_in_words(server: Server, client: Client) -> None:
    with pytest.raises(Failed, match="went away before it had answered"):
        client.request("GET", "api", "jobs")
    server.ends = False
    with pytest.raises(Failed, match="does not answer"), client.stream("api", "events", silence=0.001):
        pass


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConnectionRefusedError(), NoSupervisor, "no supervisor runs"),
        (FileNotFoundError(), NoSupervisor, "no supervisor runs"),
        (PermissionError(), Failed, "is another user's"),
        (BlockingIOError(), Failed, "does not answer"),
    ],
)
def test_why_there_is_no_connection(
    error: OSError, kind: type[Failed], words: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> socket.socket:
        raise error

    monkeypatch.setattr(address, "connect", fail)
    with pytest.raises(Failed, match=words) as caught:
        client.request("GET", "api", "jobs")
    assert type(caught.value) is kind


def test_errors_of_the_program_that_takes_the_answer_are_its_own(server: Server, client: Client) -> None:
    """A full disk behind stdout is no supervisor that went away."""
    server.answer = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"

    def copy_to_a_full_disk() -> None:
        with client.stream("api", "logs") as answer:
            for _ in answer.pieces():
                raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        copy_to_a_full_disk()
