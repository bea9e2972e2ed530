"""The manual's grep and jq commands, as it prints them, on a real log file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from logconf import LogContext, bind_correlation_id, configure_structured_logging, flush, get_logger

pytestmark = pytest.mark.parts

logger = get_logger("actors.poller")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "cloud.log"
    configure_structured_logging("DEBUG", log_file=path, stream=None)
    with bind_correlation_id("cycle"):
        logger.info("Starting job status polling")
        logger.info("Queue scheduler started")
        logger.debug("Synced %d active jobs", 0)
    with bind_correlation_id("abc123"), LogContext(job_id="xyz789"):
        logger.info('She said "hello"\nand left')
        logger.debug("Failed to sync job xyz789: timeout")
    with bind_correlation_id("abc1234"):
        try:
            raise ExceptionGroup("many", [ValueError("odd \x00 text"), KeyError("k")])
        except ExceptionGroup:
            logger.exception("Error in job polling")
        logger.info("Expired %d approval requests", 1)
        logger.info("Approval request expired", extra={"job_id": "xyz789"})
    flush()
    return path


def run(command: str, log: Path) -> str:
    command = command.replace("/var/log/simpletuner/cloud.log", str(log))
    return subprocess.run(["bash", "-c", command], check=True, capture_output=True, encoding="utf-8").stdout


def objects(text: str) -> list[dict[str, Any]]:
    decoder, found, place = json.JSONDecoder(), [], 0
    while place < len(text.rstrip()):
        value, place = decoder.raw_decode(text, place)
        found.append(value)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def test_grep_for_a_correlation_id(log: Path) -> None:
    out = run("""grep '"correlation_id": "abc123"' /var/log/simpletuner/cloud.log""", log)
    assert [json.loads(line)["correlation_id"] for line in out.splitlines()] == ["abc123"] * 2


def test_jq_for_a_correlation_id(log: Path) -> None:
    out = run("""cat /var/log/simpletuner/cloud.log | jq 'select(.correlation_id == "abc123")'""", log)
    assert [line["message"] for line in objects(out)] == [
        'She said "hello"\nand left',
        "Failed to sync job xyz789: timeout",
    ]


def test_jq_for_a_job(log: Path) -> None:
    out = run("""cat /var/log/simpletuner/cloud.log | \\\n  jq 'select(.extra.job_id == "xyz789")'""", log)
    assert len(objects(out)) == 3


def test_jq_for_polling(log: Path) -> None:
    out = run(
        """cat /var/log/simpletuner/cloud.log | \\
  jq 'select(.message | contains("polling")) | {timestamp, message}'""",
        log,
    )
    assert [line["message"] for line in objects(out)] == ["Starting job status polling", "Error in job polling"]
    assert all(set(line) == {"timestamp", "message"} for line in objects(out))


def test_jq_for_expirations(log: Path) -> None:
    out = run("""cat /var/log/simpletuner/cloud.log | \\\n  jq 'select(.message | contains("expired"))'""", log)
    assert [line["message"] for line in objects(out)] == ["Approval request expired"]


def test_every_line_is_json_to_jq(log: Path) -> None:
    run("jq -e . /var/log/simpletuner/cloud.log", log)
