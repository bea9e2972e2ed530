"""A job whose first attempt is interrupted: its shim is told to stop, as by a machine that is shut down.

It writes a line when it starts and one when it ends well: time, what, user, job id, attempt, the checkpoint it found.
"""

from __future__ import annotations

import os
import signal
import sys
import time

attempt, output = int(os.environ["GREENROOM_ATTEMPT"]), os.environ["GREENROOM_OUTPUT_DIR"]
previous = os.environ.get("GREENROOM_PREVIOUS_OUTPUT_DIR")
found = open(previous + "/checkpoint").read() if previous else "-"  # noqa: PTH123, SIM115 - it is to start fast
record = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def write(what: str) -> None:
    line = f"{time.monotonic()} {what} {sys.argv[2]} {os.environ['GREENROOM_JOB_ID']} {attempt} {found}\n"
    os.write(record, line.encode())


write("start")
with open(output + "/checkpoint", "w") as checkpoint:  # noqa: PTH123 - it is to start fast
    checkpoint.write(f"of-{attempt}")
if previous is None:
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()
write("end")
