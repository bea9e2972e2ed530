"""The steps of ../chain.yaml. Each reads what the jobs that it waited for left, from the file GREENROOM_PARENTS.

That is a JSON array with an object for each of them: `job_id`, `name`, `status`, `output_dir` (null where it is not on
this machine) and `result` (what the job wrote to GREENROOM_RESULT_FILE).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import fmean
from typing import Any

DATA = "points.json"


def parents() -> list[dict[str, Any]]:
    """The jobs that this one waited for."""
    found: list[dict[str, Any]] = json.loads(Path(os.environ["GREENROOM_PARENTS"]).read_text())
    return found


def leave(**result: Any) -> None:
    """Write the result of this job."""
    Path(os.environ["GREENROOM_RESULT_FILE"]).write_text(json.dumps(result))


def prepare() -> None:
    """Make the data: a line with a wave on it."""
    points = [(x, 2.0 * x + (x * x) % 3) for x in range(20)]
    (Path(os.environ["GREENROOM_OUTPUT_DIR"]) / DATA).write_text(json.dumps(points))
    leave(points=len(points))


def fit(degree: int) -> None:
    """Fit a mean (degree 0) or a line (degree 1) by least squares."""
    (before,) = parents()
    points = json.loads((Path(before["output_dir"]) / DATA).read_text())
    middle_x, middle_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if degree else 0.0
    leave(degree=degree, loss=fmean((y - middle_y - slope * (x - middle_x)) ** 2 for x, y in points))


def report() -> None:
    """Print all fits, the best one first."""
    fits = sorted(parents(), key=lambda one: float(one["result"]["loss"]))
    for one in fits:
        print(f"{one['name']}: loss {one['result']['loss']:.3f}")
    leave(best=fits[0]["name"])


def tidy() -> None:
    """Say how the others ended."""
    print(", ".join(f"{one['name']} {one['status']}" for one in sorted(parents(), key=lambda one: str(one["name"]))))


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=("prepare", "fit", "report", "tidy"))
    parser.add_argument("--degree", type=int, choices=(0, 1), default=1, help="of the polynomial that is fitted")
    given = parser.parse_args()
    if given.step == "fit":
        fit(given.degree)
    else:
        {"prepare": prepare, "report": report, "tidy": tidy}[given.step]()


if __name__ == "__main__":
    main()
