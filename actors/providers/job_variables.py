"""The variables that a job finds in its environment: the one declaration, from which docs/jobs.md is made.

Each provider says which of them it sets; a request that sets one of these itself is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from logconf.correlation import JOB_VARIABLE

JOB_ID = "GREENROOM_JOB_ID"
CORRELATION_ID = JOB_VARIABLE
OUTPUT_DIR = "GREENROOM_OUTPUT_DIR"
PROGRESS_FILE = "GREENROOM_PROGRESS_FILE"
RESULT_FILE = "GREENROOM_RESULT_FILE"
ATTEMPT = "GREENROOM_ATTEMPT"
PREVIOUS_OUTPUT_DIR = "GREENROOM_PREVIOUS_OUTPUT_DIR"
PARENTS = "GREENROOM_PARENTS"
HOME = "GREENROOM_HOME"

MEANINGS: Mapping[str, str] = {
    JOB_ID: "The job's id.",
    CORRELATION_ID: "The job's correlation ID. A job that logs through `logconf` continues the same trail.",
    OUTPUT_DIR: "A directory for the job's output, its own. It is kept as long as the job is.",
    PROGRESS_FILE: "A file to which the job appends its progress, one JSON object per line.",
    RESULT_FILE: "A file to which the job writes its result, one JSON object of at most 1 MiB.",
    ATTEMPT: "The number of this attempt, 1 at first.",
    PREVIOUS_OUTPUT_DIR: "The output directory of the attempt before; not set in the first one.",
    PARENTS: "A JSON file about the jobs that it waited for; not set if there were none.",
    HOME: "The supervisor's state directory, so that the job can use the command line.",
    "CUDA_VISIBLE_DEVICES": "The GPUs that the job got, by UUID or number; empty if it asked for none.",
    "CUDA_DEVICE_ORDER": "`PCI_BUS_ID`, the order in which `nvidia-smi` numbers the GPUs.",
    "RAY_JOB_STOP_WAIT_TIME_S": "Ray's: the seconds between SIGTERM and SIGKILL (`stop_wait_seconds`).",
}
"""The meaning of each variable, for people. A provider lists those that it sets."""

SHARED = frozenset(
    {JOB_ID, CORRELATION_ID, OUTPUT_DIR, PROGRESS_FILE, RESULT_FILE, ATTEMPT, PREVIOUS_OUTPUT_DIR, PARENTS}
)
"""The variables that every provider sets which runs a command."""
