"""A real supervisor that serves HTTP on a port of its own, for tests marked ``parts``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

ROOT = Path(__file__).resolve().parents[2]
_SAID = "HTTP is served at "


@attrs.frozen
class Served:
    """A supervisor's address, the token of its admin, and its process id."""

    address: str
    token: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, **fields: Any) -> Any:
        """The document that answers a request."""
        answered = httpx.request(method, self.address + path, headers=self.headers, timeout=60, **fields)
        return answered.raise_for_status().json()

    def memory(self) -> int:
        """Bytes that it has in memory now."""
        fields = Path(f"/proc/{self.pid}/status").read_text().split()
        return int(fields[fields.index("VmRSS:") + 1]) << 10


@contextmanager
def serving(config: Path, state: Path, seconds: float = 600, *, kill: bool = False) -> Iterator[Served]:
    """A supervisor of ``state`` for ``seconds`` at most, ended in order, or killed.

    Raises AssertionError when it logged an error or did not end well.
    """
    known = {name: value for name, value in os.environ.items() if not name.startswith(("SIMPLETUNER", "GREENROOM"))}
    environ = {**known, "GREENROOM_HOME": str(state), "SIMPLETUNER_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "actors", "run", "--config", str(config)]
    logged: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        limit = threading.Timer(seconds, supervisor.kill)
        limit.start()
        drain = threading.Thread(target=logged.extend, args=(supervisor.stdout,))
        try:
            address = next(line.partition(_SAID)[2].split('"')[0] for line in supervisor.stdout if _SAID in line)
            drain.start()
            yield Served(address.rstrip("/"), (state / "token").read_text().strip(), supervisor.pid)
            supervisor.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            assert supervisor.wait(60) == (-signal.SIGKILL if kill else 0)
        finally:
            limit.cancel()
            supervisor.kill()
            if drain.ident is not None:
                drain.join()
    assert [line for line in logged if json.loads(line)["level"] in ("ERROR", "CRITICAL")] == []
