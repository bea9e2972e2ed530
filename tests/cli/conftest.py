"""The command line as people meet it: in this process, in processes of its own, and beside a real supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 120
"""No command takes so long; a test that hangs ends all the same."""


@attrs.define
class Terminal:
    """A place to type commands in: its own home, its own working directory."""

    home: Path
    cwd: Path
    environment: dict[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "actors")

    def type(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*self.program, *words], cwd=self.cwd, env=self.environment, text=True,
            input=stdin, capture_output=True, timeout=MOST_SECONDS, check=False,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        """What a command that must succeed prints as JSON."""
        done = self.type(*words)
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a command that goes on."""
        return self._begin(*self.program, *words)

    def python(self, code: str) -> subprocess.Popen[str]:
        """Begin a program that goes on."""
        return self._begin(sys.executable, "-c", code)

    def _begin(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            argv, cwd=self.cwd, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token that nobody else may read."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("gr_abc\n")
    return path


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    home = tmp_path / "state"
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SIMPLETUNER_", "GREENROOM_"))}
    environment = {**plain, "GREENROOM_HOME": str(home), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment["TERM"] = "dumb"
    work = tmp_path / "work"
    work.mkdir()
    return Terminal(home, work, environment)


@pytest.fixture
def supervisor(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    """A supervisor as a service, ready; stopped in order when the test ends."""
    process = terminal.start("run")
    lines = until(process, "Supervisor is ready")
    assert lines
    yield process
    stop(process)


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Its lines up to the one that holds ``words``."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return seen
    raise AssertionError(f"it ended without {words!r}:\n{''.join(seen)}")


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End it in order and give the rest of what it printed."""
    if process.poll() is None:
        process.send_signal(number)
    return rest_of(process)


def rest_of(process: subprocess.Popen[str]) -> str:
    """What it prints until it ends, the lines included that were read ahead with one before, as by :func:`until`.

    ``communicate`` would lose those. Raises AssertionError when it does not end.
    """
    assert process.stdout is not None
    limit = threading.Timer(MOST_SECONDS, process.kill)
    limit.start()
    try:
        rest = "" if process.stdout.closed else process.stdout.read()
        process.wait()
    finally:
        ended = limit.is_alive()
        limit.cancel()
        process.stdout.close()
    assert ended, f"it has not ended after {MOST_SECONDS} s: {rest}"
    return rest


@pytest.fixture
def job_file(terminal: Terminal) -> Callable[[str], str]:
    """Write a job file into the working directory and give its name."""

    def write(content: str) -> str:
        (terminal.cwd / "jobs.yaml").write_text(content)
        return "jobs.yaml"

    return write
