"""What a person waits for: each client command beside ``python -c "import click"``, while a supervisor runs.

    python benchmarks/bench_cli.py [--rounds 15] [--json]

Entry: ``python -m actors`` over the Unix socket; provider ``local``, default limits. A command and its baseline are
processes of the same interpreter, started in turn; the figure is the median of the rounds' ratios. Their bytecode is
written before, as an installation does it. The last lines are commands that need no supervisor.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio
from bench_runtime import supervisor
from common import Figure, arguments, environment, in_turn, ratio, report

REQUIRED = 2.5
COMMANDS = ("jobs", "submit -- true", "show JOB", "queue", "cancel WAITING", "logs JOB", "jobs --json")
ALONE = ("--help", "jobs --help", "completion bash")


def run(home: Path, *words: str) -> str:
    """One process of this interpreter, to its end; what it printed."""
    command = [sys.executable, *words]
    done = subprocess.run(command, env=environment(home), cwd=home, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} ended with status {done.returncode}: {done.stderr}")
    return done.stdout


def figures(rounds: int, home: Path) -> list[Figure]:
    """Every command and its baseline, in turn."""
    job = run(home, "-m", "actors", "submit", "--wait", "--", "echo", "hello").split()[0]
    jobs = [{"command": ["true"], "needs_approval": "kept for the benchmark"}] * (rounds + 1)
    (home / "jobs.yaml").write_text(json.dumps({"jobs": jobs}))
    submitted = json.loads(run(home, "-m", "actors", "submit", "--file", "jobs.yaml", "--json"))
    waiting = iter([one["job_id"] for one in submitted])

    def asking(command: str) -> Callable[[], str]:
        def ask() -> str:
            words = [job if word == "JOB" else next(waiting) if word == "WAITING" else word for word in command.split()]
            return run(home, "-m", "actors", *words)

        return ask

    found = []
    for name in (*COMMANDS, *ALONE):
        ask = asking(name)
        ask()  # which writes the bytecode
        taken = trio.run(in_turn, rounds, {"ours": ask, "bare": lambda: run(home, "-c", "import click")})
        times = ratio(taken["ours"], taken["bare"])
        target, met = (f"<= {REQUIRED} x", times <= REQUIRED) if name in COMMANDS else ("", None)
        note = f"bare {statistics.median(taken['bare']) * 1e3:.0f} ms, load {os.getloadavg()[0]:.1f}"
        ours = statistics.median(taken["ours"]) * 1e3
        found.append(Figure(f"greenroom {name}", ours, "ms", "import click", times, target, met, note))
    return found


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=(15, "processes of each command"))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        with supervisor(home):
            found = figures(options.rounds, home)
    report(found, as_json=options.json)


if __name__ == "__main__":
    main()
