"""Record real trainings of ``examples/train`` for :mod:`benchmarks.bench_estimates`: what was seen of each, and when.

    python -m benchmarks.record_runs FILE [RUNS]

Each run's progress file is looked at once a second, as the local provider does. A run is kept as ``[seconds, step]``
pairs since its start, with the number of steps and the seconds that it took.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TRAIN = Path(__file__).resolve().parent.parent / "examples" / "train" / "train.py"


def record(arguments: dict[str, int]) -> dict[str, Any]:
    """Run one training to its end; what was seen of it."""
    options = [f"--{name}={value}" for name, value in arguments.items()]
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder, "progress.jsonl")
        environment = {**os.environ, "GREENROOM_PROGRESS_FILE": str(progress)}
        began, seen = time.monotonic(), list[list[float]]()
        process = subprocess.Popen([sys.executable, str(TRAIN), *options], env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            time.sleep(1)
            last = _last_step(progress)
            if last is not None and (not seen or seen[-1][1] != last):
                seen.append([round(time.monotonic() - began, 1), last])
        took = time.monotonic() - began
    return {"arguments": arguments, "total": arguments["epochs"], "seconds": round(took, 1), "seen": seen}


def _last_step(progress: Path) -> int | None:
    try:
        lines = progress.read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(json.loads(lines[-1])["step"]) if lines else None


def main(file: str, runs: str = "8") -> None:
    """Record runs of one minute to three, as the machine is busy or not."""
    draw = random.Random(1)
    found = []
    for _ in range(int(runs)):
        hidden = draw.choice([8, 16, 32, 64])
        epochs = int(draw.uniform(200, 700) * 16 / hidden)
        arguments = {"hidden": hidden, "epochs": epochs, "batch-size": draw.choice([10, 25, 50])}
        found.append(record(arguments))
        Path(file).write_text("[\n" + ",\n".join(json.dumps(one, separators=(",", ":")) for one in found) + "\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
