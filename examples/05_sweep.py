"""A sweep in a trio program: one request with a matrix becomes a job for each combination, and the best is found.

Run it: `python examples/05_sweep.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from actors import Job, JobRequest, Runtime, Settings, open_runtime

# Stands for a training: the loss is least at a learning rate of 0.2, and differs a little from seed to seed.
PROGRAM = """
import json, os, sys
lr, seed = float(sys.argv[1]), int(sys.argv[2])
with open(os.environ["GREENROOM_RESULT_FILE"], "w") as file:
    json.dump({"loss": round((lr - 0.2) ** 2 + seed / 1000, 4)}, file)
"""


async def losses(runtime: Runtime, jobs: list[Job]) -> dict[str, float]:
    """The loss of each job by its name, once all have ended."""
    found = {}
    for job in jobs:
        ended = await runtime.wait(job.job_id)
        print(ended.request.config_name, ended.request.parameters, ended.status.value, ended.result)
        found[str(ended.request.config_name)] = (ended.result or {})["loss"]
    return found


async def main(state_dir: Path) -> None:
    """All jobs are stored in one transaction, or none: one wrong value refuses the whole sweep."""
    async with open_runtime(Settings.default(state_dir=state_dir)) as runtime:
        request = JobRequest(
            command=(sys.executable, "-c", PROGRAM, "{lr}", "{seed}"),
            config_name="rate-{lr}-{seed}",
            group="rates",
            user_id="ana",
        )
        # A value is used as it is written: "0.20" stays 0.20. A range is exact.
        matrix = {"lr": [0.1, "0.20", 0.4], "seed": {"from": 1, "to": 2}, "exclude": [{"lr": 0.4, "seed": 2}]}
        jobs = await runtime.submit_sweep(request, matrix)
        found = await losses(runtime, jobs)
        print("best:", min(found, key=found.__getitem__))


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        trio.run(main, Path(folder))
