"""Directories for the files of jobs, below a directory that this machine and every node have under the same path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from actors.providers import job_variables
from actors.providers.disk_threads import DiskThreads
from actors.providers.errors import ProviderError, Unavailable, explained_as
from actors.providers.local.directory import JobDirectory
from actors.providers.local.outputs import Outputs, last_line, output_url
from actors.providers.local.shim.files import open_folder, write_plain


@attrs.frozen
class SharedOutputs:
    """Output, progress and result of each job, below ``root``; None: the nodes share nothing with this machine.

    ``setting``: the name of that directory in the configuration, for messages.
    """

    root: Path | None
    setting: str = "shared_dir"
    _outputs: Outputs = attrs.field(factory=Outputs)
    _threads: DiskThreads = attrs.field(factory=DiskThreads)  # a shared disk hangs when its server does

    def directory(self, job_id: str) -> JobDirectory:
        """The job's directory; only with a ``root``."""
        assert self.root is not None
        return JobDirectory.of(self.root, job_id)

    async def variables(self, job_id: str, context: Mapping[str, str]) -> dict[str, str]:
        """Create the job's directory and return the job's environment variables. Raises :class:`Unavailable`.

        ``context``: that of its submission. Without a ``root`` no variable has a path.
        """
        variables = {
            job_variables.ATTEMPT: context.get("attempt", "1"),
            job_variables.JOB_ID: context.get("job_id", job_id),
            job_variables.CORRELATION_ID: context.get("correlation_id", ""),
        }
        if self.root is None:
            return variables
        directory, parents = self.directory(job_id), context.get("parents")
        with explained_as(Unavailable, f"{self.setting}: {self.root} cannot be written to"):
            await self._threads.run(_make, directory, parents)
        variables |= {
            job_variables.OUTPUT_DIR: str(directory.output),
            job_variables.PROGRESS_FILE: str(directory.progress),
            job_variables.RESULT_FILE: str(directory.result),
        }
        if parents is not None:
            variables[job_variables.PARENTS] = str(directory.parents)
        if "previous_key" in context:
            variables[job_variables.PREVIOUS_OUTPUT_DIR] = str(self.directory(context["previous_key"]).output)
        return variables

    async def left(self, jobs: Mapping[str, bool]) -> Mapping[str, dict[str, Any]]:
        """What these jobs have written so far, as fields of an observation. The argument says for each job id
        whether it has ended.
        """
        if self.root is None:
            return {}
        directories = [JobDirectory.of(self.root, job_id) for job_id in jobs]
        return await self._threads.run(lambda: {one.key: self._read(one, ended=jobs[one.key]) for one in directories})

    async def last_line(self, job_id: str) -> str:
        """The line of the job's log in its directory that says why it failed; "" without one."""
        return await self._threads.run(last_line, self.directory(job_id))

    async def remove(self, job_id: str) -> None:
        """Remove the job's directory, if there is one. Raises :class:`ProviderError`."""
        if self.root is None:
            return
        directory = JobDirectory.of(self.root, job_id)
        self._outputs.forget(job_id)
        with explained_as(ProviderError, f"{self.setting}: {directory.path} cannot be removed"):
            await self._threads.run(directory.remove)

    def _read(self, directory: JobDirectory, *, ended: bool) -> dict[str, Any]:
        found = {
            **self._outputs.reported(directory, directory.key, ended=ended),
            "result": self._outputs.result(directory, directory.key),
            "output_url": output_url(directory),
        }
        return {name: value for name, value in found.items() if value is not None}


def _make(directory: JobDirectory, parents: str | None) -> None:
    """Make the directory and its folder for output; a link in its place is refused. Raises OSError."""
    directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with directory.opened() as folder:
        with suppress(FileExistsError):
            os.mkdir(directory.output.name, 0o700, dir_fd=folder)
        os.close(open_folder(directory.output.name, folder))
        if parents is not None:
            write_plain(folder, directory.parents.name, parents.encode())
