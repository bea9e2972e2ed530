"""The job's environment: what its submitter passes on, what its request says, what describes the job; no more."""

from __future__ import annotations

import os
from collections.abc import Mapping

from actors.jobs.environment import inherited as inherited_of
from actors.jobs.records import DEFAULT_ENV_FROM
from actors.providers import job_variables as variables
from actors.providers.local.directory import JobDirectory

MARK = variables.OUTPUT_DIR
"""By its value, which no two jobs on one machine share, a process is known to be of a job."""

OURS = frozenset({*variables.SHARED, variables.HOME, "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"})
"""Names that the provider sets; a request that sets one of them is refused."""


def job_environment(
    directory: JobDirectory, inherited: Mapping[str, str] | None, env: Mapping[str, str], context: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of the program, but for its GPUs, which are known only when it starts.

    ``inherited`` None: nothing was resolved at submission, and the default names alone are taken from our own
    environment; other names than those could be the supervisor's secrets.
    """
    if inherited is None:
        inherited = inherited_of(DEFAULT_ENV_FROM, os.environ)
    before = context.get("previous_key")
    previous = (
        {variables.PREVIOUS_OUTPUT_DIR: str(JobDirectory.of(directory.path.parent, before).output)} if before else {}
    )
    return {
        "PYTHONUNBUFFERED": "1",  # else the output of a Python program comes in blocks, and the last one not at all
        **{name: value for name, value in inherited.items() if name != variables.PREVIOUS_OUTPUT_DIR},
        **env,
        variables.JOB_ID: context.get("job_id", directory.key),
        variables.CORRELATION_ID: context.get("correlation_id", ""),
        MARK: str(directory.output),
        variables.PROGRESS_FILE: str(directory.progress),
        variables.RESULT_FILE: str(directory.result),
        variables.ATTEMPT: context.get("attempt", "1"),
        **previous,
        **({variables.PARENTS: str(directory.parents)} if "parents" in context else {}),
        **({variables.HOME: context["home"]} if "home" in context else {}),
    }
