"""What the unit and the container start reads the file that they name, and writes the log that the collectors read."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "examples" / "deploy"
LOG = "/var/log/simpletuner/cloud.log"
SECONDS = 60


def unit_values(name: str) -> list[str]:
    found = re.findall(rf"^{name}=(.*)$", (DEPLOY / "greenroom.service").read_text(), re.MULTILINE)
    assert found, f"the unit has no {name}"
    return found


def of_unit() -> tuple[list[str], dict[str, str]]:
    """The command line of the unit and its environment."""
    (start,) = unit_values("ExecStart")
    return shlex.split(start)[1:], dict(pair.split("=", 1) for pair in unit_values("Environment"))


def of_container() -> tuple[list[str], dict[str, str]]:
    """The same of the container file."""
    text = (DEPLOY / "Containerfile").read_text()
    (command,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    (environment,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    pairs = dict(pair.split("=", 1) for pair in shlex.split(environment.replace("\\\n", " ")))
    return json.loads(command)[1:], {name: value for name, value in pairs.items() if name != "PATH"}


@pytest.mark.parts
@pytest.mark.parametrize("deployed", [of_unit, of_container])
def test_it_reads_the_file_that_it_names(deployed: Any, tmp_path: Path) -> None:
    """Started with its own arguments, below a root of the test's: the limits of /etc/greenroom.yaml hold."""

    def here(value: str) -> str:
        return str(tmp_path) + value if value.startswith(("/etc/", "/var/")) else value

    words, variables = deployed()
    words = [here(word) for word in words]
    file = tmp_path / "etc" / "greenroom.yaml"
    assert str(file) in words
    file.parent.mkdir()
    file.write_text("limits: {total: 7}\nhttp: {port: 0}\n")
    environment = {name: here(value) for name, value in variables.items()}
    environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "actors"]

    def ask(*asked: str) -> Any:
        done = subprocess.run(
            [*program, *asked, "--json"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        return json.loads(done.stdout)

    supervisor = subprocess.Popen([*program, *words], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert supervisor.stdout is not None
        assert any("Supervisor is ready" in line for line in supervisor.stdout)
        total = next(row for row in ask("limits", "show") if row["name"] == "total")
        shown = next(row for row in ask("config", "show", "--config", str(file)) if row["key"] == "limits.total")
    finally:
        supervisor.terminate()
        supervisor.communicate(timeout=SECONDS)
    assert (total["value"], total["source"]) == (7, "configured")
    assert (shown["value"], shown["source"].partition(":")[0]) == (7, str(file))
    if "SIMPLETUNER_LOG_FILE" in variables:
        assert "Supervisor is ready" in Path(environment["SIMPLETUNER_LOG_FILE"]).read_text()


def test_an_empty_file_is_what_the_instructions_make_and_gives_the_defaults() -> None:
    for name in ("greenroom.service", "Containerfile"):
        assert "touch /etc/greenroom.yaml" in (DEPLOY / name).read_text()


def test_the_units_log_is_the_one_that_is_rotated_and_collected() -> None:
    variables = of_unit()[1]
    assert variables["SIMPLETUNER_LOG_FILE"] == LOG
    assert unit_values("LogsDirectory") == [Path(LOG).parent.name]
    rotated = re.findall(r"^(/\S+) \{", (DEPLOY / "greenroom.logrotate").read_text(), re.MULTILINE)
    assert any(fnmatch.fnmatch(LOG, pattern) for pattern in rotated)
    collectors = ["promtail.yaml", "datadog.yaml", "fluent-bit.yaml", "vector.yaml", "splunk-inputs.conf"]
    for name in collectors:
        assert LOG in (DEPLOY / name).read_text(), name
    promtail = yaml.safe_load((DEPLOY / "promtail.yaml").read_text())
    assert promtail["scrape_configs"][0]["static_configs"][0]["labels"]["__path__"] == LOG
