"""A runtime over a simulated remote, behind its application and on its real Unix socket."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx
import pytest

from actors.access.peer import Peer
from actors.access.sessions import Access
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.options import HttpOptions
from actors.api.socket_file import announced
from actors.api.unix import socket_server
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRule
from actors.kernel import SystemClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings
from supervision import open_supervisor
from tests.api.servers import ORIGIN, Wall


@attrs.define
class Edge:
    """A runtime, its remote, and a client of its application."""

    runtime: RunningRuntime
    remote: ScriptedRemote
    http: httpx.AsyncClient

    async def submit(self, **fields: object) -> dict[str, object]:
        """Submit one simulated job over HTTP."""
        response = await self.http.post("/api/jobs", json={"provider": "scripted", "user_id": "ana", **fields})
        assert response.status_code == 201, response.text
        found: dict[str, object] = response.json()
        return found


@pytest.fixture
async def edge(runtime: RunningRuntime, remote: ScriptedRemote) -> AsyncIterator[Edge]:
    """The application itself, without a socket, asked by user ana."""
    transport = httpx.ASGITransport(app=asked_by(create_app(runtime), Peer(1000, "ana")))
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        yield Edge(runtime, remote, http)


@pytest.fixture
def remote() -> ScriptedRemote:
    return ScriptedRemote(SystemClock().now)


@pytest.fixture
async def runtime(remote: ScriptedRemote) -> AsyncIterator[RunningRuntime]:
    """A runtime in memory in which jobs of config ``dear`` need an approval; none ends unless its spec says so."""
    parts = Parts(
        in_memory=True, sources=seeded_sources(1), providers=[ScriptedProvider(ScriptedOptions(duration=3600), remote)]
    )
    rule = ApprovalRule("Dear", "config_pattern", "dear", rule_id=1)
    settings = virtual_settings(approvals=ApprovalOptions(rules=(rule,)))
    async with running_runtime(settings=settings, parts=parts) as running:
        yield running


@pytest.fixture
async def socket(
    runtime: RunningRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Path]:  # fmt: skip
    """The path of a Unix socket on which the runtime is served, and which is not waited for long when the test ends."""
    monkeypatch.setattr("actors.net.connections.GRACE", 0.1)
    async with open_supervisor([socket_server(runtime, tmp_path)]):
        yield announced(tmp_path)


@pytest.fixture
async def client(socket: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        yield http


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def access(runtime: RunningRuntime, wall: Wall) -> Access:
    return Access(runtime.ledger, wall)


@pytest.fixture
async def web(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application as it is served on TCP, without a token."""
    options = HttpOptions(requests_per_minute=1000)
    transport = httpx.ASGITransport(app=create_app(runtime, options), client=("127.0.0.1", 5))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of our own for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = [folder / "certificate.pem", folder / "key.pem"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made[0], made[1]
