"""``python -m actors run`` with the feed switched on, watched by ``python -m actors watch --url``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "http: {port: 0}\nfeed: {enabled: true, port: 0}\nproviders: {local: null, there: {kind: scripted}}\n"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("SIMPLETUNER", "GREENROOM"))}
    return {**known, "GREENROOM_HOME": str(tmp_path / "state"), "SIMPLETUNER_LOG_FORMAT": "json"}


def greenroom(*words: str, config: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "actors", *words, "--config", str(config)]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(process: subprocess.Popen[str], stream: str) -> Iterator[str]:
    """Its lines, for a minute at most: then it is ended, and with it this."""
    limit = threading.Timer(60, process.kill)
    limit.start()
    try:
        for line in getattr(process, stream):  # noqa: UP028 - that would close the stream with this generator
            yield line
    finally:
        limit.cancel()


@pytest.mark.parts
def test_a_supervisor_is_watched_through_its_feed(tmp_path: Path, environ: dict[str, str]) -> None:
    """Every event from the first on, then the end in words."""
    config = tmp_path / "app.yaml"
    config.write_text(CONFIG)
    with greenroom("run", config=config, environ=environ) as supervisor:
        try:
            records = (json.loads(line) for line in lines(supervisor, "stdout"))
            port = next(one["extra"]["port"] for one in records if one["message"] == "Event feed is ready")
            made = greenroom(
                "token", "create", "--user", "ana", "--level", "admin", "--json", config=config, environ=environ
            )
            secret = tmp_path / "token"
            secret.touch(0o600)
            secret.write_text(json.loads(made.communicate(timeout=60)[0])["token"])
            where = ("--url", f"ws://127.0.0.1:{port}", "--token-file", str(secret))
            words = ("watch", *where, "--after", "0", "--json")
            with greenroom(*words, config=config, environ=environ) as watching:
                try:
                    assert next(lines(watching, "stderr")).startswith("Connected")
                    done = greenroom("limits", "set", "total", "3", config=config, environ=environ)
                    assert done.wait(60) == 0, done.communicate()
                    done.communicate()
                    seen = (json.loads(line) for line in lines(watching, "stdout"))
                    event = next(one for one in seen if one["type"] == "limits_changed")
                    assert (event["limit"], event["value"]) == ("total", 3)
                    supervisor.terminate()
                    assert "the supervisor stops; trying again" in next(lines(watching, "stderr"))
                finally:
                    watching.kill()
        finally:
            supervisor.kill()
