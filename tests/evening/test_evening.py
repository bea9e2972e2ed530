"""An evening at a workstation, from the shell: a sweep, failures, an interruption, the night, a look in the morning.

Everything is real: a supervisor, its store on the disk, the local provider, the commands that one types.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.cli.conftest import MOST_SECONDS, Terminal, stop, until

pytestmark = pytest.mark.parts

TUNE = """
import json, os, sys
lr, seed = float(sys.argv[1]), int(sys.argv[2])
with open(os.environ["GREENROOM_PROGRESS_FILE"], "a") as progress:
    for step in range(1, 21):
        loss = 1 / (step * lr) + seed / 100
        progress.write(json.dumps({"step": step, "total": 20, "loss": loss}) + "\\n")
        print(f"step {step} loss {loss:.3f}")
if lr > 1:
    sys.exit("the loss is not a number")
with open(os.environ["GREENROOM_RESULT_FILE"], "w") as result:
    json.dump({"loss": loss}, result)
"""
PICK = """
import json, os
with open(os.environ["GREENROOM_PARENTS"]) as file:
    parents = json.load(file)
best = min((one for one in parents if one["status"] == "completed"), key=lambda one: one["result"]["loss"])
print(f"of {len(parents)} the best is {best['name']}")
"""
LONG = """
import os, sys
from pathlib import Path
before = os.environ.get("GREENROOM_PREVIOUS_OUTPUT_DIR")
step = int((Path(before) / "step").read_text()) if before else 0
print(f"attempt {os.environ['GREENROOM_ATTEMPT']} begins at step {step}")
(Path(os.environ["GREENROOM_OUTPUT_DIR"]) / "step").write_text(str(step + 50))
sys.exit(75 if step < 50 else 0)
"""
NOTE = "import json, sys; open(sys.argv[1], 'a').write(json.load(sys.stdin)['type'] + '\\n')"
GATE = "import os; open('began', 'w').close(); open('gate').read(); print('through')"
SWEEP = """
name: fine-tuning
best: {loss: min}
defaults: {group: tune, cwd: ., notify: [me]}
jobs:
  - name: tune-{lr}-{seed}
    command: [python3, tune.py, "{lr}", "{seed}"]
    matrix:
      lr: [0.1, 0.50, 2]
      seed: {from: 1, to: 3}
      include: [{lr: 1, seed: 7}]
"""


@attrs.define
class Evening:
    """A workstation: what is typed there, and the supervisor that runs."""

    terminal: Terminal
    running: subprocess.Popen[str]

    def shown(self, *words: str) -> str:
        """What a command prints that must succeed."""
        done = self.terminal.type(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def statuses(self, *filters: str) -> Counter[str]:
        """How many jobs there are of each status."""
        return Counter(job["status"] for job in self.terminal.json("jobs", "--all", "--json", *filters))

    def notes(self) -> Counter[str]:
        """The types of what was sent, once nothing more is to be sent."""
        while any(one["state"] == "pending" for one in self.terminal.json("notifications", "--json")["notifications"]):
            pass
        return Counter((self.terminal.cwd / "notes").read_text().split())

    def killed(self) -> None:
        """The power fails, and comes back."""
        self.running.send_signal(signal.SIGKILL)
        self.running.communicate(timeout=MOST_SECONDS)
        self.running = started(self.terminal)


def started(terminal: Terminal) -> subprocess.Popen[str]:
    """A supervisor that is ready."""
    process = terminal.start("run")
    until(process, "Supervisor is ready")
    return process


@pytest.fixture
def evening(terminal: Terminal) -> Iterator[Evening]:
    """A workstation whose supervisor runs; the programs lie in the working directory."""
    for name, text in (("tune.py", TUNE), ("pick.py", PICK), ("long.py", LONG), ("gate.py", GATE)):
        (terminal.cwd / name).write_text(text)
    command = [sys.executable, "-c", NOTE, str(terminal.cwd / "notes")]
    (terminal.cwd / "greenroom.yaml").write_text(json.dumps({"notify": {"targets": {"me": {"command": command}}}}))
    here = Evening(terminal, started(terminal))
    try:
        yield here
    finally:
        stop(here.running)


def a_sweep(evening: Evening, job_file: Callable[[str], str]) -> None:
    """Ten fine-tunings in one file, and a job that picks the best when all have ended; curves and a comparison."""
    terminal, shown = evening.terminal, evening.shown
    file = job_file(SWEEP)
    assert "10 new" in shown("submit", "--file", file)
    pick = ("--name", "pick", "--after", "group:tune", "--after-mode", "ended", "--", "python3", "pick.py")
    assert "pick" in shown("submit", "--wait", *pick)
    assert shown("logs", "pick") == "of 10 the best is tune-0.50-1\n"
    assert "10 already there (3 failed)" in shown("submit", "--file", file)
    assert "loss" in shown("metrics", "tune-0.50-1")
    rows = {one["name"]: one for one in terminal.json("compare", "tune", "--json")}
    assert rows["tune-0.50-1"]["parameters"] == {"lr": "0.50", "seed": "1"}
    assert rows["tune-0.50-1"]["metrics"]["loss"]["best"] == pytest.approx(0.11)
    table = shown("compare", "tune").splitlines()
    assert len(table) == 11
    assert table[0].split()[:5] == ["JOB", "NAME", "STATUS", "lr", "seed"]


def failures(evening: Evening) -> None:
    """Three have failed: look why, and try them again."""
    shown = evening.shown
    assert evening.statuses("--group", "tune", "--status", "failed") == {"failed": 3}
    assert "the loss is not a number" in shown("show", "tune-2-3")
    assert "3 jobs would be submitted again" in shown("retry", "--group", "tune", "--status", "failed", "--dry-run")
    assert evening.terminal.type("retry", "--group", "tune", "--status", "failed").returncode == 2
    assert "3 jobs submitted again" in shown("retry", "--group", "tune", "--status", "failed", "--yes")


def an_interruption(evening: Evening) -> None:
    """A long training that is interrupted and goes on from its checkpoint."""
    shown = evening.shown
    rerun = ("--rerun", "3", "--rerun-on", "exit:75", "--rerun-delay", "0.1s")
    shown("submit", "--wait", "--name", "long", *rerun, "--", "python3", "long.py")
    assert shown("logs", "--attempt", "1", "long") == "attempt 1 begins at step 0\n"
    assert shown("logs", "long") == "attempt 2 begins at step 50\n"
    assert len(evening.terminal.json("show", "long", "--json")["attempts"]) == 2


def the_night(evening: Evening) -> None:
    """A chain that waits for the night; then the power fails."""
    cwd, shown = evening.terminal.cwd, evening.shown
    os.mkfifo(cwd / "gate")
    os.mkfifo(cwd / "began")
    shown("submit", "--name", "gate", "--", "python3", "gate.py")
    shown("submit", "--name", "then", "--after", "gate", "--", "echo", "after the gate")
    shown("submit", "--name", "night", "--start-after", "+9h", "--", "true")
    assert (cwd / "began").read_text() == ""  # it runs
    queue = shown("queue")
    assert "waits for gate (" in queue
    assert "starts at" in queue
    evening.killed()
    (cwd / "gate").write_text("")
    shown("submit", "--wait", "--name", "last", "--after", "then", "--", "true")
    assert shown("logs", "gate") == "through\n"
    assert shown("logs", "then") == "after the gate\n"


def the_morning(evening: Evening) -> None:
    """Nothing is lost, nothing ran twice; what is not needed goes.

    Messages: each failure singly, the rest as one for the group, again when those that were retried had ended.
    """
    terminal, shown = evening.terminal, evening.shown
    assert evening.notes() == {"failed": 6, "group_ended": 2}
    assert "cancelled" in shown("cancel", "night")
    assert evening.statuses()["completed"] == 7 + 1 + 1 + 3
    assert terminal.json("show", "gate", "--json")["attempt"] == 0
    assert "removed" in shown("rm", "--group", "tune", "--status", "failed", "--yes")
    assert "failed" not in evening.statuses("--group", "tune")


def test_an_evening(evening: Evening, job_file: Callable[[str], str]) -> None:
    a_sweep(evening, job_file)
    failures(evening)
    an_interruption(evening)
    the_night(evening)
    the_morning(evening)
