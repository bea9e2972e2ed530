"""A process that tries mutants (server.py), and one of its own for each mutant that needs that (trial.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from generator import Mutant
from places import ROOT

HERE = Path(__file__).resolve().parent


class Tries:
    """The server starts with the first mutant, and once more where it has ended. ``files``: of tests."""

    def __init__(self, *files: str) -> None:
        self._files = files
        self._server: subprocess.Popen[str] | None = None

    def noticed(self, mutant: Mutant, request: dict[str, Any], seconds: float) -> str | None:
        """By whom, or None. Raises :class:`TimeoutError` where it had no end in time."""
        request = {**request, "file": mutant.file, "number": mutant.number, "seconds": seconds}
        answer = self._asked(request)
        if "undecided" in answer:
            raise TimeoutError
        if "import" in answer:
            return self._alone(request, seconds)
        how: str | None = answer["how"]
        return how

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, str(HERE / "server.py"), *self._files],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the server ended: run benchmarks/mutation/server.py to see why")
        found: dict[str, Any] = json.loads(line)
        return found

    @staticmethod
    def _alone(request: dict[str, Any], seconds: float) -> str | None:
        done = subprocess.run(
            [sys.executable, str(HERE / "trial.py")],
            cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return None
        lines = (done.stdout + done.stderr).splitlines()
        said = [line for line in lines if line.startswith(("FAILED", "ERROR", "world"))]
        return (said or lines or [f"exit status {done.returncode}"])[-1][:160]

    def close(self) -> None:
        """End the server."""
        if self._server is not None and self._server.stdin is not None:
            self._server.stdin.close()
            self._server.wait()
