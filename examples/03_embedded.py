"""The whole runtime inside a trio program: two real jobs on this machine, waited for, their output read.

Run it: `python examples/03_embedded.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from actors import Job, JobRequest, Runtime, Settings, open_runtime

# What a job leaves in $GREENROOM_RESULT_FILE is kept with it.
PROGRAM = """
import json, os, sys
square = int(sys.argv[1]) ** 2
print("the square is", square)
with open(os.environ["GREENROOM_RESULT_FILE"], "w") as file:
    json.dump({"square": square}, file)
"""


def square(number: int) -> JobRequest:
    """A job is an argument vector, never a shell line; `user_id` says for whom it runs."""
    return JobRequest(
        provider="local", command=(sys.executable, "-c", PROGRAM, str(number)), user_id="ana", config_name="square"
    )


async def show(runtime: Runtime, job: Job) -> None:
    """Wait for one job and print what became of it."""
    job = await runtime.wait(job.job_id)
    print(job.request.command[-1] if job.request.command else "", job.status.value, job.result)
    async for output, _cursor in runtime.logs(job.job_id):
        print("  output:", output.decode().strip())


async def main(state_dir: Path) -> None:
    """Rows, jobs and the lock live in `state_dir`; a program that is to find its jobs again keeps it."""
    async with open_runtime(Settings.default(state_dir=state_dir)) as runtime:
        # Stored when submit returns: had this process been killed here, the next start would run them.
        jobs = [await runtime.submit(square(number)) for number in (6, 7)]
        for job in jobs:
            await show(runtime, job)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        trio.run(main, Path(folder))
