"""What Slurm's accounting (sacct) knows about jobs that squeue no longer shows. Not every cluster has accounting.

A job is recognised by its working directory, which no other job has: accounting stores comments only where it was
configured to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import attrs

from actors.providers.errors import ProviderError
from actors.providers.slurm.commands import Commands
from actors.providers.slurm.squeue import SlurmJob, job_id_of, time_of
from actors.providers.slurm.statuses import Ending

_FORMAT = "JobIDRaw,State,ExitCode,Start,End,NodeList,WorkDir"
_ENDING = re.compile(r"(\d{1,10}):(\d{1,3})")
_EARLIER = timedelta(hours=1)
"""For clocks that differ."""


@attrs.frozen
class Accounted:
    """A job as it is recorded in the accounting."""

    job: SlurmJob
    ending: Ending


async def accounted(commands: Commands, key: str, directory: str, since: datetime | None) -> list[Accounted] | None:
    """The jobs of ``key``, whose working directory is ``directory``, the earliest first.

    None: accounting does not answer. ``since``: none was submitted before; None: that is not known.
    """
    begin = datetime(2000, 1, 1, tzinfo=UTC) if since is None else since - _EARLIER
    try:
        answer = await commands.run(
            "sacct", "--noheader", "--parsable2", "--allocations", f"--user={commands.user}", "--duplicates",
            f"--starttime={begin:%Y-%m-%dT%H:%M:%S}", f"--format={_FORMAT}",
        )  # fmt: skip
    except ProviderError:  # no sacct, or none that answers
        return None
    if answer.status != 0:
        return None
    return sorted(_jobs(answer.out, key, directory), key=lambda one: one.job.job_id)


def _jobs(text: str, key: str, directory: str) -> Iterator[Accounted]:
    for line in text.split("\n"):
        fields = line.split("|", _FORMAT.count(","))
        if len(fields) <= _FORMAT.count(",") or fields[-1] != directory:
            continue
        number, state, code, start, end, nodes, _ = fields
        job_id = job_id_of(number)
        if job_id is None or not state:
            continue
        given = nodes if nodes and nodes != "None assigned" else None
        job = SlurmJob(
            job_id, state.split()[0], key, started_at=time_of(start), ended_at=time_of(end), nodes=given
        )  # "CANCELLED by 1000"
        yield Accounted(job, ending_of(code))


def ending_of(text: str) -> Ending:
    """Return the exit code and the signal that Slurm writes as ``7:0`` or ``0:15``."""
    if (found := _ENDING.fullmatch(text)) is None:
        return Ending()
    code, signal = int(found[1]), int(found[2])
    return Ending(code if not signal else None, signal or None)
