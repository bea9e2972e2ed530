"""The feed over TLS, with a certificate of our own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from actors.access.hosts import AllowedHosts
from actors.feed.options import FeedOptions
from actors.feed.server import FeedServer
from actors.runtime import RunningRuntime
from supervision import ChildSpec, Supervisor

OPENSSL = shutil.which("openssl")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key, for 127.0.0.1."""
    assert OPENSSL is not None
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=greenroom", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
        "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.mark.parts
@pytest.mark.skipif(OPENSSL is None, reason="openssl is missing: it makes the certificate (apt install openssl)")
async def test_an_encrypted_client_is_served_and_told_goodbye_and_a_plain_one_is_not(
    runtime: RunningRuntime, supervisor: Supervisor, tokens: Any, certificate: tuple[Path, Path]
) -> None:
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(*certificate)
    server = FeedServer(runtime, FeedOptions(port=0), tokens.peer_of, AllowedHosts(), ours)
    await supervisor.start_child(ChildSpec("feed", server.run))
    theirs = ssl.create_default_context(cafile=certificate[0])
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as plain:
        await plain.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with trio.fail_after(60), suppress(trio.BrokenResourceError):
            assert not (await plain.receive_some()).startswith(b"HTTP")
    stream = await trio.open_ssl_over_tcp_stream(
        "127.0.0.1", server.port, ssl_context=theirs, https_compatible=True
    )  # fmt: skip
    async with stream, trio.open_nursery() as nursery:
        headers = [(b"Authorization", b"Bearer boss")]
        socket = await wrap_client_stream(nursery, stream, f"127.0.0.1:{server.port}", "/", extra_headers=headers)
        with trio.fail_after(60):
            assert orjson.loads(await socket.get_message())["type"] == "connected"
            nursery.start_soon(supervisor.stop_child, "feed")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.get_message()
        assert closed.value.reason.code == 1001
