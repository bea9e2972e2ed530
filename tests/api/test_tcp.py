"""HTTP on TCP: its port, its first token, TLS, and who gives way when all connections are taken."""

from __future__ import annotations

import socket as plain_socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

import attrs
import httpx
import pytest
import trio
import trio.testing

from actors.api import server
from actors.api.options import HttpOptions
from actors.api.tcp import TOKEN, address, http_server
from actors.net import connections
from actors.runtime import RunningRuntime
from supervision import ChildSpec, open_supervisor

PATIENCE = 60.0
ANY = HttpOptions(port=0)
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def port_of(runtime: RunningRuntime) -> int:
    assert runtime.access.address is not None
    return int(runtime.access.address.rstrip("/").rpartition(":")[2])


def serving(runtime: RunningRuntime, state_dir: Path, options: HttpOptions = ANY) -> list[ChildSpec]:
    return [http_server(runtime, state_dir, options)]


async def test_the_first_start_leaves_an_admins_token_that_only_its_owner_can_read(
    runtime: RunningRuntime, tmp_path: Path
) -> None:
    async with open_supervisor(serving(runtime, tmp_path)):
        assert stat.S_IMODE((tmp_path / TOKEN).stat().st_mode) == 0o600
        secret = (tmp_path / TOKEN).read_text().strip()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_of(runtime)}") as http:
            assert (await http.get("/api/session")).status_code == 401
            who = (await http.get("/api/session", headers={"Authorization": f"Bearer {secret}"})).json()
    assert who["level"] == "admin"


async def test_a_later_start_makes_no_token_again(runtime: RunningRuntime, tmp_path: Path) -> None:
    """Revoked or deleted, it stays so: greenroom token create makes another."""
    async with open_supervisor(serving(runtime, tmp_path)):
        (tmp_path / TOKEN).unlink()
        await runtime.access.revoke((await runtime.access.tokens_page(limit=100))[0].token_id)
    async with open_supervisor(serving(runtime, tmp_path)):
        assert not (tmp_path / TOKEN).exists()
    assert len(await runtime.access.tokens_page(limit=100)) == 1


async def test_a_port_that_is_taken_is_a_warning_and_nobodys_crash(
    runtime: RunningRuntime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The child is left finished, its siblings run; started by hand once the port is free, it serves."""
    with plain_socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with open_supervisor(
            [*serving(runtime, tmp_path, HttpOptions(port=port)), ChildSpec("other", _stay)]
        ) as supervisor:
            await trio.testing.wait_all_tasks_blocked()
            assert [child.state for child in supervisor.children()] == ["finished", "running"]
            (line,) = [record for record in caplog.records if record.name == "actors.api.tcp"]
            assert line.levelname == "WARNING"
            assert str(port) in line.getMessage()
            assert runtime.access.address is None
            taken.close()
            await supervisor.restart_child("http")
            assert port_of(runtime) == port


async def _stay(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    await trio.sleep_forever()


async def test_an_unreadable_certificate_is_a_warning(
    runtime: RunningRuntime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = HttpOptions(port=0, tls_certificate=tmp_path / "none.pem", tls_key=tmp_path / "none.key")
    async with open_supervisor(serving(runtime, tmp_path, options)) as supervisor:
        await trio.testing.wait_all_tasks_blocked()
        assert supervisor.children()[0].state == "finished"
    assert "HTTP is not served" in caplog.text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "http://127.0.0.1:80/"), ({"host": "::1"}, "http://[::1]:80/"), ({"host": "localhost"}, "http://localhost:80/"),
        ({"host": "0.0.0.0", "behind_proxy": True, "allowed_hosts": ("lab.example",)}, "https://lab.example/"),
        ({"host": "0.0.0.0", "tls_certificate": Path("c"), "tls_key": Path("k"), "allowed_hosts": ("lab.example",)},
         "https://lab.example:80/"),
        ({"tls_certificate": Path("c"), "tls_key": Path("k")}, "https://127.0.0.1:80/"),
    ],
)  # fmt: skip
def test_where_a_browser_finds_it(given: dict[str, object], expected: str) -> None:
    assert address(HttpOptions(**given), 80) == expected  # type: ignore[arg-type]


async def test_tls_is_spoken_and_nothing_else(
    runtime: RunningRuntime, tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a cookie that is Secure; plain HTTP, half a handshake and a stalled one end those connections alone."""
    monkeypatch.setattr(connections, "GRACE", 0.1)
    options = HttpOptions(port=0, tls_certificate=certificate[0], tls_key=certificate[1])
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    async with open_supervisor(serving(runtime, tmp_path, options)):
        port = port_of(runtime)
        stalled = await trio.open_tcp_stream("127.0.0.1", port)
        async with await trio.open_tcp_stream("127.0.0.1", port) as plain:
            await plain.send_all(REQUEST)
            with trio.fail_after(PATIENCE):
                try:
                    while piece := await plain.receive_some(4096):
                        assert not piece.startswith(b"HTTP")
                except trio.BrokenResourceError:
                    pass
        secret = (tmp_path / TOKEN).read_text().strip()
        async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trust) as http:
            answer = await http.post("/api/session", json={"token": secret})
            assert answer.status_code == 201
            assert "Secure" in answer.headers["set-cookie"]
            assert (await http.get("/api/session")).status_code == 200
        await stalled.aclose()


async def served_on(stream: trio.SocketStream) -> bytes:
    """What one request is answered with; empty where the connection was closed instead."""
    try:
        await stream.send_all(REQUEST)
        with trio.fail_after(PATIENCE):
            return await stream.receive_some(65536)
    except trio.BrokenResourceError:
        return b""


async def opened(port: int, number: int) -> list[trio.SocketStream]:
    return [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(number)]


@pytest.mark.parametrize("bounds", [{"max_connections": 4}, {"max_per_address": 4}])
async def test_who_keeps_us_waiting_gives_way_to_who_asks(
    runtime: RunningRuntime, tmp_path: Path, bounds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections without a request take no room from others: the oldest of them is closed."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 2 * PATIENCE)
    monkeypatch.setattr(connections, "GRACE", 0.1)
    options = attrs.evolve(ANY, **bounds)  # type: ignore[arg-type]
    async with open_supervisor(serving(runtime, tmp_path, options)):
        silent = await opened(port_of(runtime), 4)
        for stream in silent:
            await stream.send_all(b"GET /health/live HT")
        await trio.testing.wait_all_tasks_blocked(0.01)
        (asking,) = await opened(port_of(runtime), 1)
        assert b" 200 " in await served_on(asking)
        assert await silent[0].receive_some(1) == b""
        await silent[-1].send_all(b"TP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in await silent[-1].receive_some(4096)
        for stream in (*silent, asking):
            await stream.aclose()


@pytest.mark.parametrize("bounds", [{"max_connections": 4}, {"max_per_address": 4}])
async def test_strangers_who_take_their_time_over_a_body_give_way(
    runtime: RunningRuntime, tmp_path: Path, bounds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in, whose body is read before anybody is known, holds no place; somebody's stream does."""
    monkeypatch.setattr(connections, "GRACE", 0.1)
    async with open_supervisor(serving(runtime, tmp_path, attrs.evolve(ANY, **bounds))):  # type: ignore[arg-type]
        _token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
        (watching,) = await opened(port_of(runtime), 1)
        head = f"Host: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n"
        await watching.send_all(f"GET /api/events HTTP/1.1\r\n{head}".encode())
        assert b" 200 " in await watching.receive_some(4096)
        slow = await opened(port_of(runtime), 10)
        for stream in slow:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(
                    b'POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"to'
                )
        await trio.testing.wait_all_tasks_blocked(0.01)
        (asking,) = await opened(port_of(runtime), 1)
        assert b" 200 " in await served_on(asking)
        with trio.move_on_after(0) as still_open:
            while await watching.receive_some(4096):
                pass
        assert still_open.cancelled_caught
        for stream in (watching, *slow, asking):
            await stream.aclose()


async def test_where_all_are_busy_a_new_one_is_closed(
    runtime: RunningRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "GRACE", 0.1)
    async with open_supervisor(serving(runtime, tmp_path, HttpOptions(port=0, max_connections=2))):
        _token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
        watching = await opened(port_of(runtime), 2)
        for stream in watching:
            await stream.send_all(
                f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
            )
            assert b" 200 " in await stream.receive_some(4096)
        (refused,) = await opened(port_of(runtime), 1)
        assert await served_on(refused) == b""
        for stream in (*watching, refused):
            await stream.aclose()


async def test_a_slow_head_is_given_up(
    runtime: RunningRuntime, tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    """However many bytes come meanwhile: the whole head has its time, and so has an idle connection.

    Time passes only where this test says so.
    """
    async with open_supervisor(serving(runtime, tmp_path)):
        slow, idle = await opened(port_of(runtime), 2)
        assert b" 200 " in await served_on(idle)
        await slow.send_all(b"GET /health/live HTTP/1.1\r\n")
        with suppress(trio.BrokenResourceError):
            for _ in range(3 * int(server.HEAD_SECONDS)):
                await slow.send_all(b"X: y\r\n")
                mock_clock.jump(1)
                await trio.testing.wait_all_tasks_blocked()
            pytest.fail("it is still read")
        while await idle.receive_some(4096):
            pass
        await slow.aclose()
        await idle.aclose()


async def test_streams_beyond_the_bound_are_told_so(
    runtime: RunningRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B24: 503 with a time to come back; one that was closed makes room."""
    monkeypatch.setattr(connections, "GRACE", 0.1)
    async with open_supervisor(serving(runtime, tmp_path, HttpOptions(port=0, max_streams_per_token=1))):
        _token, secret = await runtime.access.create_token(user_id="ana", level="viewer")
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port_of(runtime)}", headers={"Authorization": f"Bearer {secret}"}
        ) as http:
            async with http.stream("GET", "/api/events") as first:
                assert first.status_code == 200
                refused = await http.get("/api/events")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            with trio.fail_after(PATIENCE):
                while (await _status(http)) != 200:
                    await trio.testing.wait_all_tasks_blocked(0.001)


async def _status(http: httpx.AsyncClient) -> int:
    async with http.stream("GET", "/api/events") as answer:
        return answer.status_code
