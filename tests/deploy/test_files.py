"""The files under examples/deploy: they name what exists, and the tools they are for accept them."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from trio.testing import MockClock

from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

DEPLOY = Path(__file__).resolve().parents[2] / "examples" / "deploy"
ALERTS, DASHBOARD, UNIT = (
    DEPLOY / name for name in ("prometheus-alerts.yaml", "grafana-dashboard.json", "greenroom.service")
)
PROMTOOL = os.environ.get("GREENROOM_TEST_PROMTOOL") or shutil.which("promtool")
ANALYZE = shutil.which("systemd-analyze")


def named(text: str) -> set[str]:
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:greenroom|simpletuner)_[a-z_]+", text))


@pytest.fixture
def expressions() -> list[str]:
    """Every expression of the rules and of the dashboard."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"]
    found = [rule["expr"] for group in rules for rule in group["rules"]]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return found + [target["expr"] for panel in panels for target in panel["targets"]]


async def test_every_metric_that_is_named_exists(autojump_clock: MockClock, expressions: list[str]) -> None:
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    async with running_runtime(settings=virtual_settings(), parts=parts) as runtime:
        await runtime.wait((await runtime.submit(request(duration=1))).job_id)
        text = (await runtime.metrics.scrape()).decode()
    exposed = {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    wanted = named(" ".join(expressions))
    assert len(wanted) > 15
    assert wanted - exposed == set()


def test_the_dashboard_can_be_imported() -> None:
    """Panels have places that do not overlap, and ids of their own."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_unit_keeps_its_promises_to_jobs() -> None:
    """A stop ends no job, an out-of-memory kill of one neither, and /tmp does not change under them."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["KillMode"] == "process"
    assert service["Delegate"] == "yes"  # a control group for each job
    assert service["OOMPolicy"] == "continue"
    assert float(service["TimeoutStopSec"]) > 20  # two graces of 10 s
    assert "PrivateTmp" not in service
    assert int(service["WatchdogSec"]) >= 20
    soft, _, hard = service["LimitNOFILE"].partition(":")
    assert (int(soft), int(hard)) == (8192, 524288)  # one number alone would lower the hard limit for jobs, too


def test_the_container_says_that_local_jobs_do_not_survive() -> None:
    assert "DO NOT SURVIVE" in (DEPLOY / "Containerfile").read_text()


@pytest.mark.parts
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: .ci/run installs it (Debian: prometheus)")
def test_promtool_accepts_the_rules() -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


@pytest.mark.parts
@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing: it comes with systemd")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """With a program that exists here in place of the installed one."""
    assert ANALYZE is not None
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/greenroom/bin/greenroom", sys.executable))
    done = subprocess.run([ANALYZE, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert complaints == []


def test_the_image_installs_what_was_tested() -> None:
    """Every installation in it holds to the constraints, which are there by then."""
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    installs = [line for line in text.splitlines() if re.search(r"\bpip3? install\b", line)]
    assert installs
    for line in installs:
        assert re.search(r"(-c|--constraint)[ =]constraints\.txt\b", line), line
        before = text[: text.index(line)]
        assert re.search(r"^COPY .*\.ci/constraints\.txt", before, re.MULTILINE)
    pins = (DEPLOY.parents[1] / ".ci" / "constraints.txt").read_text()
    named = tomllib.loads((DEPLOY.parents[1] / "pyproject.toml").read_text())["project"]["dependencies"]
    for one in named:
        name = re.match(r"[\w.-]+", one)[0]  # type: ignore[index]
        assert re.search(rf"^{re.sub('[-_.]', '[-_.]', name)}==", pins, re.MULTILINE | re.IGNORECASE), one
