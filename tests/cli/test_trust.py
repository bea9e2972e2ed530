"""Whom the command line talks to, and which places it warns of (D7)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.api.unix_peer import peer_uid
from actors.cli import trust
from actors.cli.context import Failed
from actors.cli.transport import Transport
from actors.cli.trust import check_server, connect, socket_of

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user: run the tests as root")
OTHER = 4711
SERVER = """
import os, socket, sys
os.setgid({gid}); os.setuid({uid})
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); listener.listen()
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    received = connection.recv(65536)
    print(len(received), flush=True)
    if received:
        connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\n{{}}")
    connection.close()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that everybody may pass through."""
    with tempfile.TemporaryDirectory(prefix="gr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def served_by(uid: int, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server of this user on ``path``; it prints how many bytes each connection has sent."""
    command = [sys.executable, "-c", SERVER.format(uid=uid, gid=uid), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def transport_to(path: Path) -> Transport:
    return Transport(lambda: connect(path), {"Host": "greenroom"})


def stat_of(path: Path, owner: int, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """``path`` as if it had this owner and mode."""
    real = Path.stat

    def stat(self: Path, **more: bool) -> os.stat_result:
        found = real(self, **more)  # type: ignore[arg-type]
        return os.stat_result((mode, *found[1:4], owner, *found[5:])) if self == path else found

    monkeypatch.setattr(Path, "stat", stat)


ME, ROOT, ANA, MALLORY = 1000, 0, 1001, 1002


@pytest.mark.parametrize(
    ("server", "owner", "mode", "trusted"),
    [
        (ME, ME, 0o700, True), (ME, MALLORY, 0o777, True), (ROOT, MALLORY, 0o777, True),
        (ANA, ANA, 0o700, True), (ANA, ANA, 0o755, True), (ANA, ANA, 0o750, True),
        (ANA, ANA, 0o770, False), (ANA, ANA, 0o757, False), (ANA, ANA, 0o1777, False),
        (MALLORY, ANA, 0o700, False), (MALLORY, ME, 0o700, False), (MALLORY, ROOT, 0o1777, False),
    ],
)  # fmt: skip
def test_whose_server_is_trusted(
    server: int, owner: int, mode: int, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: ME)
    stat_of(tmp_path, owner, 0o040000 | mode, monkeypatch)
    if trusted:
        check_server(server, tmp_path / "socket")
    else:
        with pytest.raises(Failed, match="nothing was sent: the server on"):
            check_server(server, tmp_path / "socket")


def test_who_listens_is_told_by_the_kernel(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one, tmp_path) == os.getuid()


@needs_root
def test_nothing_is_sent_to_a_socket_of_somebody_else(place: Path) -> None:
    """A shared directory in which another user was first: their server gets a connection and not one byte."""
    place.chmod(0o1777)
    path = place / "greenroom.sock"
    with served_by(OTHER, path) as server:
        sending = transport_to(path).request("POST", "/api/jobs", body=b"secret environment")
        with pytest.raises(Failed, match=f"runs as uid-{OTHER}; it must run as you"), sending:
            pass
        assert server.stdout is not None
        assert server.stdout.readline() == "0\n"


@needs_root
def test_the_server_of_a_place_that_only_it_may_change_is_asked(place: Path) -> None:
    """As where a supervisor runs as a user of its own."""
    os.chown(place, OTHER, OTHER)
    path = place / "greenroom.sock"
    with served_by(OTHER, path), transport_to(path).request("GET", "/health") as answer:
        assert answer.body() == b"{}"


@needs_root
def test_a_command_tells_in_one_sentence_whom_it_does_not_trust(place: Path) -> None:
    """`jobs` too, which reads the store where nobody listens: here somebody does."""
    place.chmod(0o1777)
    with served_by(OTHER, place / "greenroom.sock"):
        for words in (["cancel", "x"], ["jobs"]):
            done = subprocess.run(
                [sys.executable, "-m", "actors", *words], env={**os.environ, "GREENROOM_HOME": str(place)},
                cwd=place, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.startswith("greenroom: nothing was sent: the server on ")
            assert done.stderr.count("\n") == 1


def test_where_the_supervisor_listens_is_not_somebody_elses_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a state directory that others may write to: their file `socket` would lead to a place of their own."""
    pointer = tmp_path / "socket"
    pointer.write_text("/somewhere/greenroom.sock\n")
    assert socket_of(tmp_path) == Path("/somewhere/greenroom.sock")
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(trust, "is_ours", lambda _found: False)
    with pytest.raises(Failed, match="who is not allowed to name the supervisor's socket"):
        socket_of(tmp_path)
    pointer.unlink()
    assert socket_of(tmp_path) == tmp_path / "greenroom.sock"


def doctor(cwd: Path, state: Path, *words: str) -> dict[str, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "actors", "doctor", "--json", *words], env={**os.environ, "GREENROOM_HOME": str(state)},
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {finding["subject"]: finding for finding in json.loads(done.stdout)}


def test_doctor_names_a_state_directory_and_a_configuration_that_others_may_change(tmp_path: Path) -> None:
    state, config = tmp_path / "state", tmp_path / "my.yaml"
    state.mkdir(mode=0o700)
    config.write_text("limits: {total: 3}\n")
    config.chmod(0o600)
    found = doctor(tmp_path, state, "--config", str(config))
    assert found["state directory"]["ok"]
    assert found["configuration"]["ok"]
    state.chmod(0o755)
    config.chmod(0o666)
    found = doctor(tmp_path, state, "--config", str(config))
    assert (found["state directory"]["ok"], found["configuration"]["ok"]) == (False, False)
    assert "others may look into it (mode 0755)" in str(found["state directory"]["found"])
    assert "others may write to it (mode 0666)" in str(found["configuration"]["found"])


@pytest.mark.parametrize("words", [["run", "--until-idle"], ["run", "--file", "jobs.yaml"]])
def test_a_run_refuses_a_place_that_anybody_may_write_to_before_it_writes(tmp_path: Path, words: list[str]) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    (tmp_path / "jobs.yaml").write_text("jobs:\n  - {name: a, command: ['true']}\n")
    done = subprocess.run(
        [sys.executable, "-m", "actors", *words], env={**os.environ, "GREENROOM_HOME": str(state)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f"greenroom: cannot use the state directory {state}: anybody may write to it (mode 0777); chmod 700 it, or use "
        "another (GREENROOM_HOME names it)\n"
    )
    assert list(state.iterdir()) == []
