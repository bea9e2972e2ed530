"""What a command says where its surroundings are not as usual: a full disk, an odd locale, odd files, Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from actors.api.socket_file import announced
from actors.providers.local.shim.system import stat_fields

GREENROOM = (sys.executable, "-m", "actors")


def typed(home: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GREENROOM_HOME": str(home), **options.pop("env", {})}
    return subprocess.run(
        [*GREENROOM, *words], env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize("words", [("--version",), ("jobs", "--help"), ("doctor",)])
def test_output_to_a_full_disk_is_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = typed(tmp_path, *words, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "greenroom: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_if_nobody_read_them(tmp_path: Path, closed: str) -> None:
    """Nothing that a command opens becomes descriptor 1 or 2, into which it prints."""
    done = typed(tmp_path, "jobs")
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *GREENROOM, "jobs"]
    environment = {**os.environ, "GREENROOM_HOME": str(tmp_path)}
    quiet = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert quiet.returncode == done.returncode
    assert "Traceback" not in quiet.stderr
    assert "Bad file descriptor" not in quiet.stderr


def test_an_empty_directory_to_restore_into_is_not_the_working_directory(tmp_path: Path) -> None:
    done = typed(tmp_path, "restore", "backup.zip", "--into", "", cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "must not be empty" in done.stderr


def test_a_database_that_is_a_pipe_is_not_waited_for_by_a_backup(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "greenroom.db")
    done = typed(tmp_path, "backup", str(tmp_path / "b.zip"))
    assert done.returncode == 1
    assert "greenroom.db is not a regular file" in done.stderr


def test_an_argument_that_the_locale_cannot_write_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A terminal may send bytes of another encoding than that of the locale."""
    code = (
        "import sys\nsys.getfilesystemencoding = lambda: 'euc_jp'\nimport os\n"
        "os.fsencode = lambda text: text.encode('euc_jp')\nfrom actors.cli import main\n"
        "main(['submit', '--', 'echo', '\\U0001f600'])"
    )
    environment = {**os.environ, "GREENROOM_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "cannot be written in the encoding of this locale (euc_jp); set LC_ALL=C.UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe/run/x.sock\n", b"", b"a\0b", b"x" * 100_000])
def test_whatever_stands_in_the_file_that_names_the_socket_is_a_path_or_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "socket").write_bytes(content)
    found = announced(tmp_path)
    assert len(os.fsencode(found)) <= 4096
    assert "\0" not in str(found)


def test_a_pipe_in_place_of_the_file_that_names_the_socket_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "socket")
    assert announced(tmp_path) == tmp_path / "greenroom.sock"


def test_ctrl_c_at_a_question_ends_the_command_like_anywhere_else(terminal: Any, supervisor: Any) -> None:
    for _ in range(2):
        terminal.type("submit", "--name", "x", "--", "sleep", "600")
    leader, follower = pty.openpty()
    words = [*GREENROOM, "cancel", "--name", "x"]
    with subprocess.Popen(
        words, env=terminal.environment, stdin=follower, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        shown = ""
        while not shown.endswith("[y/N]: "):
            shown += process.stderr.read(1)
        while stat_fields(process.pid)[0] != "S":  # else the signal may come just before the read, and be noticed after
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    os.close(leader)
    os.close(follower)
    assert "cancelled" not in {job["status"] for job in terminal.json("jobs", "--json")}
    terminal.type("cancel", "--name", "x", "--yes")
    deadline = time.monotonic() + 60
    while {job["status"] for job in terminal.json("jobs", "--json")} != {"cancelled"}:
        assert time.monotonic() < deadline
