"""A training that is interrupted and goes on from its checkpoint: the job runs again by itself.

Run it: `python examples/06_interrupted_training.py`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from actors import Job, JobRequest, Rerun, Runtime, Settings, open_runtime

TRAIN = Path(__file__).parent / "train" / "train.py"


def training() -> JobRequest:
    """Up to twice more, if an attempt is interrupted; never because the program itself failed."""
    return JobRequest(
        provider="local",
        command=(sys.executable, str(TRAIN), "--epochs", "200", "--hidden", "8"),
        user_id="ana",
        config_name="digits",
        rerun=Rerun(times=2, on=("interrupted",), delay=0.5),
    )


async def interrupt(runtime: Runtime, job: Job) -> None:
    """Do what a machine that shuts down does: after some epochs, tell the process that watches the job to stop."""
    async with runtime.events(job_id=job.job_id, after=0) as events:
        async for event in events:
            if event.data.get("progress", {}).get("step", 0) >= 3:
                break
    submission = (await runtime.jobs.get(job.job_id)).submission
    assert submission is not None
    assert submission.handle is not None
    record = await trio.Path(submission.handle["directory"], "run.json").read_text()
    os.kill(json.loads(record)["shim"], signal.SIGTERM)


async def main(state_dir: Path) -> None:
    """Interrupt the first attempt, wait for the end of the job, and print how each attempt ended."""
    async with open_runtime(Settings.default(state_dir=state_dir)) as runtime:
        job = await runtime.submit(training())
        await interrupt(runtime, job)
        job = await runtime.wait(job.job_id)
        for attempt in (await runtime.jobs.get(job.job_id)).attempts or ():
            output = b"".join([data async for data, _ in runtime.logs(job.job_id, attempt=attempt.attempt)]).decode()
            resumed = [line for line in output.splitlines() if "resumed" in line]
            print(
                f"attempt {attempt.attempt} {attempt.status}",
                "from its checkpoint" if resumed else "from the beginning",
            )
        print(job.status.value, (job.progress or {}).get("step"), "of 200 epochs")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        trio.run(main, Path(folder))
