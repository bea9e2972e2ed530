"""A short job: one line when it starts and one when it ends, appended to a common file, in the order they happen.

``python -I -S short_job.py RECORD USER``; a third argument ``logged`` has it log through :mod:`logconf`, too.
"""

import os
import sys
import time


def write(record: int, what: str, user: str) -> None:
    """Append one line; a single write with O_APPEND is never torn or overwritten."""
    os.write(record, f"{time.monotonic_ns()} {what} {user} {os.environ['GREENROOM_JOB_ID']}\n".encode())


def main(path: str, user: str, *more: str) -> None:
    """Start, take a moment, end."""
    record = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    write(record, "start", user)
    if more:
        import logconf

        logconf.init_from_env()
        logconf.get_logger("short_job").info("Trained", extra={"job_id": os.environ["GREENROOM_JOB_ID"]})
        logconf.flush()
    else:
        time.sleep(0.15)  # in a child process: the length of the job
    write(record, "end", user)


if __name__ == "__main__":
    main(*sys.argv[1:])
