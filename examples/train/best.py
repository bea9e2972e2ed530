"""Pick the best of the trainings that this job waited for: the one with the greatest accuracy.

    python best.py

Greenroom names a JSON file in GREENROOM_PARENTS: for each of them its `name`, `status`, `output_dir` and `result`. The
best one's checkpoint is copied into GREENROOM_OUTPUT_DIR. Exit status 1: there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from outputs import CHECKPOINT, Outputs


def trained(parents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were completed and wrote an accuracy, the best first; of equal ones the first."""
    found = [one for one in parents if one["status"] == "completed" and "accuracy" in (one["result"] or {})]
    return sorted(found, key=lambda one: -one["result"]["accuracy"])


def main() -> int:
    """Print the order, and leave the best one's name, numbers and checkpoint as this job's result."""
    path = os.environ.get("GREENROOM_PARENTS")
    if not path:
        print("best.py: GREENROOM_PARENTS is not set; Greenroom sets it for a job with `after`", file=sys.stderr)
        return 2
    parents = json.loads(Path(path).read_bytes())
    found = trained(parents)
    for one in found:
        print(f"{one['name']}: {one['result']['accuracy']:.1%}")
    if not found:
        print(f"best.py: none of {len(parents)} jobs has an accuracy", file=sys.stderr)
        return 1
    best, outputs = found[0], Outputs.from_env()
    outputs.result(best=best["name"], job_id=best["job_id"], **best["result"])
    if outputs.directory is not None and best["output_dir"]:
        outputs.directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(best["output_dir"]) / CHECKPOINT, outputs.directory / CHECKPOINT)
    print(f"best of {len(parents)}: {best['name']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
