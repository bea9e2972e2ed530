"""Encryption of the way to another machine: whose certificate is accepted, and what is said of others."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server
from urllib.parse import urlsplit

import pytest

from actors.cli.client import Client
from actors.cli.context import Failed, TryLater
from actors.cli.network import network_address
from actors.cli.remote import watch_feed
from tests.cli.test_network import greenroom


@contextmanager
def encrypted(certificate: tuple[Path, Path], host: str = "127.0.0.1") -> Iterator[tuple[int, list[bytes]]]:
    """A server with TLS that answers one request; its port, and what it received."""
    received: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with create_server((host, 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                received.append(connection.recv(65_536))
                connection.sendall(greenroom(200, b'{"jobs": [], "next": null}')(received[0]))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join()


def client_of(url: str, token_file: Path) -> Client:
    return Client(supervisor=network_address(url, "--url", str(token_file), "--token-file", insecure=False))


def test_a_certificate_that_is_trusted_opens_the_way(
    certificate: tuple[Path, Path], token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with encrypted(certificate) as (port, received):
        found = client_of(f"https://localhost:{port}/lab", token_file).request("GET", "api", "jobs")
    assert found == {"jobs": [], "next": None}
    assert received[0].startswith(b"GET /lab/api/jobs HTTP/1.1\r\nHost: localhost:")


@pytest.mark.parametrize(
    ("host", "trusted", "words"),
    [
        ("localhost", False, "the certificate of .* is not valid: self-signed certificate; if it is one of your own, "),
        ("127.0.0.2", True, "the certificate of .* is not valid: IP address mismatch"),
    ],
)
def test_nothing_is_sent_to_a_server_with_another_certificate(
    host: str, trusted: bool, words: str, certificate: tuple[Path, Path], token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with (
        encrypted(certificate, "127.0.0.1" if host == "localhost" else host) as (port, received),
        pytest.raises(Failed, match=f"^nothing was sent: {words}") as caught,
    ):
        client_of(f"https://{host}:{port}", token_file).request("GET", "api", "jobs")
    assert not isinstance(caught.value, TryLater)
    assert received == []


def test_nothing_is_sent_to_a_feed_with_another_certificate(certificate: tuple[Path, Path]) -> None:
    with (
        encrypted(certificate) as (port, received),
        pytest.raises(Failed, match=r"^nothing was sent: the certificate of wss://.* is not valid: self-signed"),
    ):
        watch_feed(urlsplit(f"wss://localhost:{port}"), "gr_abc", {}, as_json=False)
    assert received == []


def test_a_server_without_encryption_is_said_to_be_one(token_file: Path) -> None:
    with create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 400 \r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Failed, match=r"^nothing was sent: no encrypted connection to .* does not use TLS"):
            client_of(f"https://127.0.0.1:{listener.getsockname()[1]}", token_file).request("GET", "api", "jobs")
        thread.join()
