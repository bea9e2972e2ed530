"""The whole runtime inside a trio program: run two jobs on this machine, wait for them and read their output.

Run it: `python examples/03_embedded.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from actors import Job, JobRequest, Runtime, Settings, open_runtime

# What a job writes to $GREENROOM_RESULT_FILE is stored with it.
PROGRAM = """
import json, os, sys
square = int(sys.argv[1]) ** 2
print("the square is", square)
with open(os.environ["GREENROOM_RESULT_FILE"], "w") as file:
    json.dump({"square": square}, file)
"""


def square(number: int) -> JobRequest:
    """A command is an argument vector, not a shell line; `user_id` is the user that the job belongs to."""
    return JobRequest(
        provider="local", command=(sys.executable, "-c", PROGRAM, str(number)), user_id="ana", config_name="square"
    )


async def show(runtime: Runtime, job: Job) -> None:
    """Wait for one job and print its end and its output."""
    job = await runtime.wait(job.job_id)
    print(job.request.command[-1] if job.request.command else "", job.status.value, job.result)
    async for output, _cursor in runtime.logs(job.job_id):
        print("  output:", output.decode().strip())


async def main(state_dir: Path) -> None:
    """`state_dir` has the database, the files of the jobs and a lock; keep it to find the jobs again."""
    async with open_runtime(Settings.default(state_dir=state_dir)) as runtime:
        # A job is stored when submit returns: if this process were killed here, the next start would run it.
        jobs = [await runtime.submit(square(number)) for number in (6, 7)]
        for job in jobs:
            await show(runtime, job)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        trio.run(main, Path(folder))
