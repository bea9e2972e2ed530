"""Makes the environment of a job: what its submitter passes on, what its request says, and what describes the job."""

from __future__ import annotations

import os
from collections.abc import Mapping

from actors.jobs.environment import inherited as inherited_of
from actors.jobs.records import DEFAULT_ENV_FROM
from actors.providers import job_variables as variables
from actors.providers.local.directory import JobDirectory

MARK = variables.OUTPUT_DIR
"""The variable by which a process is known to belong to a job: no two jobs on one machine have the same value."""

OURS = frozenset({*variables.SHARED, variables.HOME, "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"})
"""The names that the provider sets. A request that sets one of them is refused."""


def job_environment(
    directory: JobDirectory, inherited: Mapping[str, str] | None, env: Mapping[str, str], context: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of the program except its GPUs, which are known only when it starts.

    ``inherited`` None means that no environment was read at submission. Then only the default names are taken from the
    environment of this process; other variables could hold secrets of the supervisor.
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
