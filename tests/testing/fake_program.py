"""The fake Replicate as a program of its own, and Prism before it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(__file__).with_name("replicate-openapi-relaxed-v1.json")
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
PATIENCE = 60


class Program:
    """A child process whose output is read until a line holds ``ready``."""

    def __init__(self, argv: list[str], ready: str) -> None:
        self.process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
        )
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line)
            if ready in line:
                break
        watchdog.cancel()
        if ready not in "".join(self.said[-1:]):
            self.process.kill()
        assert ready in "".join(self.said[-1:]), "".join(self.said)
        self._rest = threading.Thread(target=self._drain)
        self._rest.start()

    def _drain(self) -> None:
        self.said.extend(self.process.stdout)

    def end(self) -> int:
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self._rest.join(PATIENCE)
        self.process.stdout.close()
        return status


@contextmanager
def a_fake():
    argv = [sys.executable, "-m", "actors.testing.fake_replicate", "--port", "0", "--token", "t0ken"]
    program = Program(argv, "http://")
    try:
        yield program
    finally:  # a test that skips or fails inside the block ends it, too
        status = program.end()
    assert status == 0


@contextmanager
def a_prism(program):
    """The fake behind Prism, which answers 500 where an answer of the fake breaks the schema."""
    path = os.environ.get("GREENROOM_TEST_PRISM") or shutil.which("prism")
    if path is None:
        pytest.skip("needs Prism: npm install @stoplight/prism-cli@5.14.2, then GREENROOM_TEST_PRISM=.../.bin/prism")
    (port,) = free_ports(1)
    argv = [path, "proxy", "-h", "127.0.0.1", "-p", str(port), str(SCHEMA), program.said[0].strip(), "--errors"]
    proxy = Program(argv, "listening on")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        proxy.end()


def inject(address: str, **fault) -> None:
    assert httpx.post(f"{address}/_fake/faults", json=[fault]).status_code == 200
