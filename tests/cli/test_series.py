"""metrics and compare as people type them, beside a supervisor and without one."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from actors.cli.series import print_comparison
from actors.cli.sparkline import sparkline
from tests.cli.conftest import stop, until

TRAIN = """
import json, os, sys
lr = float(sys.argv[1])
with open(os.environ["GREENROOM_PROGRESS_FILE"], "a") as file:
    for step in range(1, 6):
        loss = float("nan") if lr > 1 and step > 3 else lr / step
        file.write(json.dumps({"step": step, "total": 5, "loss": loss, "val": {"acc": step / 10}}) + "\\n")
"""


@pytest.fixture
def group(terminal: Any, supervisor: Any) -> None:
    """Three trainings, one of which diverges."""
    (terminal.cwd / "train.py").write_text(TRAIN)
    for lr in ("2", "0.20", "0.1"):
        body = {
            "command": [sys.executable, str(terminal.cwd / "train.py"), lr], "config_name": f"lr-{lr}", "group": "g",
            "cwd": str(terminal.cwd),
        }  # fmt: skip
        code = f"from actors.cli.client import Client; Client().request('POST', 'api', 'jobs', body={body!r})"
        subprocess.run([sys.executable, "-c", code], env=terminal.environment, cwd=terminal.cwd, check=True, timeout=60)
    deadline = time.monotonic() + 120
    while {job["status"] for job in terminal.json("jobs", "--json")} != {"completed"}:
        assert time.monotonic() < deadline


def test_metrics_of_a_job_in_all_its_forms(terminal: Any, supervisor: Any) -> None:
    (terminal.cwd / "train.py").write_text(TRAIN)
    job = terminal.json("submit", "--wait", "--json", "--", sys.executable, str(terminal.cwd / "train.py"), "2")
    found = terminal.json("metrics", job["job_id"], "--json")
    assert found["job_id"] == job["job_id"]
    assert found["series"]["loss"] == {
        "points": [[1, 2.0], [2, 1.0], [3, 2 / 3], [4, None]],
        "first": [1, 2.0], "last": [5, None], "min": [3, 2 / 3], "max": [1, 2.0], "non_finite": 2,
    }  # fmt: skip
    assert found["series"]["val.acc"]["last"] == [5, 0.5]
    rows = list(csv.reader(io.StringIO(terminal.type("metrics", job["job_id"], "--csv").stdout)))
    assert rows[:2] == [["series", "x", "y"], ["loss", "1", "2.0"]]
    assert ["loss", "4", ""] in rows
    shown = terminal.type("metrics", job["job_id"]).stdout
    assert shown.splitlines()[0].split() == ["NAME", "CURVE", "LAST", "MIN", "MAX"]
    assert "nan at 5" in shown
    assert "0.66667 at 3" in shown
    assert "loss " in terminal.type("show", job["job_id"]).stdout.partition("CURVE")[2]
    assert terminal.type("metrics", "nothing-like-it").returncode == 1


def test_a_job_without_a_name_is_compared_under_its_short_id(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"job_id": "0" * 14 + "abcdefghjkmn", "name": None, "status": "completed", "parameters": {}, "metrics": {}}
    print_comparison([row])
    assert capsys.readouterr().out.splitlines()[1].split() == ["abcdefghjkmn", "abcdefghjkmn", "completed"]


def test_a_job_without_numbers(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--wait", "--json", "--", "true")["job_id"]
    assert terminal.json("metrics", job, "--json") == {"job_id": job, "series": {}}
    assert terminal.type("metrics", job).stdout == "This job has reported no numbers.\n"


def test_the_jobs_of_a_group_side_by_side(terminal: Any, group: None) -> None:
    found = terminal.json("compare", "g", "--json")
    assert [one["name"] for one in found] == ["lr-2", "lr-0.20", "lr-0.1"]
    assert found[0]["metrics"]["loss"] == {"last": None, "best": 2 / 3}
    assert found[1]["metrics"] == {"loss": {"last": 0.04, "best": 0.04}, "val.acc": {"last": 0.5, "best": None}}
    assert {"job_id", "name", "status", "parameters", "metrics"} == found[0].keys()
    by_last = terminal.type("compare", "g", "--sort", "loss").stdout.splitlines()
    assert [line.split()[1] for line in by_last] == ["NAME", "lr-0.1", "lr-0.20", "lr-2"]
    assert " nan " in by_last[-1]
    backwards = terminal.json("compare", "g", "--sort", "-loss", "--json")
    assert [one["name"] for one in backwards] == ["lr-0.20", "lr-0.1", "lr-2"]
    rows = list(csv.DictReader(io.StringIO(terminal.type("compare", "g", "--csv").stdout)))
    assert (rows[1]["name"], rows[1]["loss.last"], rows[1]["loss.best"]) == ("lr-0.20", "0.04", "0.04")
    assert rows[0]["loss.last"] == "nan"
    wrong = terminal.type("compare", "g", "--sort", "los")
    assert (wrong.returncode, "did you mean" in wrong.stderr) == (2, True)
    assert terminal.type("compare", "h").returncode == 1
    assert terminal.type("compare", "g", "--csv", "--json").returncode == 2


def test_a_curve_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Utf8:
        encoding = "utf-8"

    monkeypatch.setattr("actors.cli.sparkline.sys.stdout", Utf8)
    assert sparkline([]) == ""
    assert sparkline([(1, None)]) == ""
    assert sparkline([(1, 5.0)]) == "▄"
    assert sparkline([(step, float(step)) for step in range(8)]) == "▁▂▃▄▅▆▇█"
    assert sparkline([(1, 0.0), (2, None), (3, 1.0)]) == "▁ █"
    most = sys.float_info.max
    assert sparkline([(1, -most), (2, 0.0), (3, most)]) == "▁▅█"
    assert sparkline([(1, most), (2, most), (3, -most), (4, -most)], 2) == "█▁"
    assert len(sparkline([(step, 1.0) for step in range(1_000)])) == 30
    monkeypatch.setattr(Utf8, "encoding", "ascii")
    assert sparkline([(1, 0.0), (2, 1.0)]) == "_#"


WAITS = """
import json, os
def report(*steps):
    with open(os.environ["GREENROOM_PROGRESS_FILE"], "a") as file:
        for step in steps:
            file.write(json.dumps({"step": step, "loss": 1 / step}) + "\\n")
report(1, 2, 3)
open("go").read()
report(4, 5, 6)
"""


def test_a_supervisor_that_is_killed_loses_and_doubles_no_number(terminal: Any) -> None:
    (terminal.cwd / "wait.py").write_text(WAITS)
    os.mkfifo(terminal.cwd / "go")
    first = terminal.start("run")
    second = None
    try:
        until(first, "Supervisor is ready")
        job = terminal.json("submit", "--json", "--", sys.executable, str(terminal.cwd / "wait.py"))["job_id"]
        deadline = time.monotonic() + 120
        while not terminal.json("metrics", job, "--json")["series"]:
            assert time.monotonic() < deadline
        first.kill()
        first.wait()
        (terminal.cwd / "go").write_text("now")
        second = terminal.start("run")
        until(second, "Supervisor is ready")
        while terminal.json("show", job, "--json")["status"] != "completed":
            assert time.monotonic() < deadline
        found = terminal.json("metrics", job, "--json")["series"]
        assert found["loss"]["points"] == [[step, 1 / step] for step in range(1, 7)]
    finally:
        for process in (first, second):
            if process is not None:
                stop(process)
    assert terminal.json("metrics", job, "--json")["series"] == found  # read from the store
    shown = terminal.type("show", job)
    assert "CURVE" in shown.stdout
    assert shown.stderr.count("read from the store") == 1


def test_a_name_that_several_columns_have_says_of_which_kind_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """A sweep over lr whose program reports lr; a number called job_id; a parameter called status."""
    ends = {"lr": (0.0, None), "loss": (1.0, 0.5), "loss.best": (2.0, None), "job_id": (5.0, None)}
    row = {
        "job_id": "01kabcdefghjkmnpqrstvwxyz0", "name": "x", "status": "completed",
        "parameters": {"lr": 0.1, "status": "s1", "job": "j"},
        "metrics": {name: {"last": last, "best": best} for name, (last, best) in ends.items()},
    }  # fmt: skip
    print_comparison([row])
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "JOB", "NAME", "STATUS", "lr", "parameters.status", "parameters.job", "metrics.lr", "loss", "loss.best",
        "metrics.loss.best", "metrics.job_id",
    ]  # fmt: skip
    assert line.split()[1:] == ["x", "completed", "0.1", "s1", "j", "0", "1", "0.5", "2", "5"]
