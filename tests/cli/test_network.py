"""Addresses, tokens, and what answers at an address: each fault is one clear sentence with the right exit status."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from actors.cli import network
from actors.cli.group import cli
from actors.cli.network import BadInput, checked_url, read_token
from tests.ports import silent_port

NEEDS = "--url: must be https://HOST\\[:PORT\\], not"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lab:8765", f"{NEEDS} 'lab:8765'; did you mean https://lab:8765"), ("https://", NEEDS), ("ftp://x", NEEDS),
        ("https://a..b", "that is not a host name"), ("https://h:99999", "Port out of range"),
        ("https://[::1", "Invalid"), ("https://h:0", "there is no port 0"),
        ("https://h\n.x", NEEDS), ("wss://h", "is for `watch` only"),
        ("http://lab.example", "sends the token unencrypted to another machine; use https://, or --insecure"),
        ("http://127.0.0.1.lab.example", "unencrypted"), ("http://127.1", "unencrypted"), ("http://0.0.0.0", "unencr"),
    ],
)  # fmt: skip
def test_what_is_no_address_or_no_safe_one_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        checked_url(text, "--url", insecure=False)


@pytest.mark.parametrize(
    "url", ["https://u:gr_secret@h", "https://gr_secret@h", "https://h/?token=x", "https://h/gr_secret"]
)
def test_a_token_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInput, match="must hold no user, token or query") as caught:
        checked_url(url, "--url", insecure=False)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9:80", "[::1]:8765"])
def test_this_machine_needs_no_encryption(host: str) -> None:
    assert checked_url(f"http://{host}", "--url", insecure=False).netloc == host


def test_insecure_is_for_what_is_not_encrypted() -> None:
    assert checked_url("http://lab", "--url", insecure=True).hostname == "lab"
    with pytest.raises(BadInput, match=r"--insecure is for http://; .* always checked"):
        checked_url("https://lab", "--url", insecure=True)


def test_a_token_is_read_from_a_file_or_a_pipe_that_nobody_else_may_read(token_file: Path) -> None:
    assert read_token(str(token_file), "--token-file") == "gr_abc"
    out, into = os.pipe()
    os.write(into, b"gr_def\n")
    os.close(into)
    assert read_token(f"/dev/fd/{out}", "--token-file") == "gr_def"
    os.close(out)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602])
def test_a_token_file_that_others_may_read_or_change_is_refused(token_file: Path, mode: int) -> None:
    token_file.chmod(mode)
    with pytest.raises(BadInput, match=rf"token: others may (read|write to) it \(mode 0{mode:o}\); chmod 600 it"):
        read_token(str(token_file), "--token-file")


def test_a_token_file_of_somebody_else_is_refused(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4711)
    if os.getuid() == 0:
        os.chown(token_file, 4712, 4712)
    with pytest.raises(BadInput, match=r"it belongs to the user with uid .*; use one of your own"):
        read_token(str(token_file), "--token-file")


@pytest.mark.parametrize("content", ["", " \n", "two words", "a\nb", "a\x1b", "ä", "x" * 5000])
def test_what_holds_no_token_is_refused_and_not_repeated(token_file: Path, content: str) -> None:
    token_file.write_text(content)
    with pytest.raises(BadInput, match="does not hold one token and nothing else"):
        read_token(str(token_file), "GREENROOM_TOKEN_FILE")


def test_a_token_that_is_no_file_or_is_the_token_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read .*/none: No such file"):
        read_token(str(tmp_path / "none"), "--token-file")
    with pytest.raises(BadInput, match="is not a regular file"):
        read_token("/dev/null", "--token-file")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(BadInput, match="does not hold"):
        read_token(str(tmp_path / "pipe"), "--token-file")
    with pytest.raises(BadInput, match="is the name of a file, not the token itself") as caught:
        read_token("gr_secret", "--token-file")
    assert "secret" not in caught.value.message
    with pytest.raises(BadInput, match=r"needs a token: name its file with --token-file or GREENROOM_TOKEN_FILE; an"):
        read_token(None, "GREENROOM_TOKEN_FILE")


def whole_request(connection: socket.socket) -> bytes:
    """A request with its body: closed before that is read, the connection would be reset while it is sent."""
    head, body = b"", b""
    while not body and (piece := connection.recv(65_536)):
        head, blank, body = (head + piece).partition(b"\r\n\r\n")
        if blank:
            break
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while len(body) < int(length[1] if length else 0) and (piece := connection.recv(65_536)):
        body += piece
    return head + b"\r\n\r\n" + body


@contextmanager
def answering(answers: Sequence[bytes | Callable[[bytes], bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives each connection the next answer and closes it; its address and what it received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the test has ended
                    return
                with connection:
                    request = whole_request(connection)
                    received.append(request)
                    connection.sendall(answer(request) if callable(answer) else answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def greenroom(status: int, body: bytes, *headers: str) -> Callable[[bytes], bytes]:
    """An answer of a supervisor, which has the correlation ID of the request."""

    def answer(request: bytes) -> bytes:
        found = re.search(rb"X-Correlation-ID: (\w+)", request)
        assert found is not None
        lines = [f"HTTP/1.1 {status} ", f"X-Correlation-ID: {found[1].decode()}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, *headers, "", ""]).encode() + body

    return answer


def asked(url: str, token_file: Path, *words: str, **environment: str) -> tuple[int, str]:
    """The exit status of a command, and its one sentence."""
    variables = {"GREENROOM_URL": None, "GREENROOM_SOCKET": None, **environment}
    done = CliRunner().invoke(cli, ["--url", url, "--token-file", str(token_file), *words], env=variables)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
MOVED = b"HTTP/1.1 302 \r\nLocation: https://evil.example/\x1b[2J\r\nContent-Length: 0\r\n\r\n"
BUSY = b'{"detail": "too many requests", "correlation_id": "c"}'
ANSWERS: dict[str, tuple[Any, str]] = {
    "another server": (OTHER, r"what answers at URL \(status 200\) is not a Greenroom supervisor$"),
    "a proxy": (b"HTTP/1.1 502 \r\nContent-Length: 0\r\n\r\n", "before URL answers in its place with status 502"),
    "redirect": (MOVED, r"URL redirects to https://evil\.example/.\[2J; nothing was followed"),
    "garbage": (b"SSH-2.0-OpenSSH_9\r\n", r"does not speak HTTP/1\.1; if it is encrypted, write https://"),
    "nothing": (b"", "URL closed the connection without an answer; if it is encrypted, write https://"),
    "half a head": (b"HTTP/1.1 2", "was lost before the answer was whole"),
    "half": (lambda request: greenroom(200, b'{"jobs": []')(request)[:-3], "was lost before the answer was whole"),
    "no JSON": (greenroom(200, b"<html>"), "answered with status 200 and no JSON"),
    "other JSON": (greenroom(200, b"[1]"), "seems to run another version of Greenroom"),
    "wrong token": (greenroom(401, b"{}"), r"URL does not accept the token in \S*token: unknown, revoked or expired"),
    "another name": (greenroom(421, b"{}"), r"by the name 127\.0\.0\.1:\d+: add it to http\.allowed_hosts there"),
    "level": (greenroom(403, b'{"detail": "this needs level lead\\u001b[1m"}'), "this needs level lead.{1,3}1m"),
    "rate": (greenroom(429, BUSY, "Retry-After: 7"), "too many requests; try again in 7 s"),
    "busy": (greenroom(503, BUSY, "Retry-After: 5"), r"too many requests \(correlation ID c\); try again in 5 s"),
    "odd problem": (greenroom(500, b"[]"), r"status 500 \(correlation ID \)"),
    "endless head": (b"HTTP/1.1 200 \r\n" + b"a: b\r\n" * 300, "was lost before the answer was whole"),
    "endless prelude": (b"HTTP/1.1 103 \r\n\r\n" * 20, "was lost before the answer was whole"),
    "huge length": (lambda request: greenroom(200, b"")(request).replace(b"h: 0", b"h: 9" + b"9" * 20), "was lost"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_whatever_answers_is_one_sentence_and_exit_status_1(case: str, token_file: Path) -> None:
    answer, words = ANSWERS[case]
    with answering([answer]) as (url, received):
        status, said = asked(url, token_file, "jobs")
    assert re.search(words.replace("URL", re.escape(url)), said, re.MULTILINE), said
    assert said.startswith("greenroom: ")
    assert said.count("\n") == 1
    assert "\x1b" not in said
    assert status == 1
    assert b"Authorization: Bearer gr_abc" in received[0]


def test_of_a_change_whose_answer_is_lost_it_is_said_that_it_may_be_done(token_file: Path) -> None:
    with answering([b""]) as (url, _):
        assert "what was asked may have been done all the same" in asked(url, token_file, "cancel", "a")[1]


def test_invalid_input_is_exit_status_2_over_the_network_too(token_file: Path) -> None:
    with answering([greenroom(422, b'{"detail": "lr must be a number"}')]) as (url, _):
        assert asked(url, token_file, "submit", "--entry-point", "train") == (2, "greenroom: lr must be a number\n")


def test_nobody_listens_and_an_unknown_name_are_one_sentence(token_file: Path) -> None:
    with silent_port() as port:
        status, said = asked(f"http://127.0.0.1:{port}", token_file, "jobs", HTTP_PROXY="http://proxy:3128")
    assert status == 1
    assert said == (
        f"greenroom: nobody listens at http://127.0.0.1:{port} (HTTP_PROXY is not used: Greenroom connects directly)\n"
    )
    status, said = asked("https://nowhere.invalid", token_file, "jobs")
    assert status == 1
    assert "the name nowhere.invalid is not known" in said


def test_a_server_that_says_nothing_is_not_waited_for(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.cli.client.WAIT_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        address = network.network_address(url, "--url", str(token_file), "--token-file", insecure=False)
        from actors.cli.client import Client
        from actors.cli.context import Failed

        with pytest.raises(Failed, match=f"{url} does not answer$"):
            Client(supervisor=address).request("GET", "api", "jobs", seconds=0.01)
