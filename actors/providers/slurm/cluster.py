"""Asks the cluster; each question is one command. Answers are values, and failures are the errors of providers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import attrs
import trio

from actors.providers.errors import ProviderError, Unavailable, explained_as
from actors.providers.slurm.accounting import ending_of
from actors.providers.slurm.commands import PROGRAMS, Answer, Commands, CommandTooSlow
from actors.providers.slurm.refusals import query_failure
from actors.providers.slurm.squeue import FORMAT, Shown, SlurmJob
from actors.providers.slurm.statuses import Ending

MOMENT = 2.0
"""Seconds for which what squeue said may be used to send a cancel, which is repeated until an end is seen."""

_OLDEST = 20
"""The first release of which all is used that this provider relies on: 20.02."""

_VERSION = re.compile(r"\b(\d{1,3})\.\d{1,3}[\w.-]{0,30}")
_SETTING = re.compile(r"^(\w+)\s*= (.*)$", re.MULTILINE)
_SECONDS = re.compile(r"(\d+) sec")
_ENDING = re.compile(r" ExitCode=(\d{1,10}:\d{1,3})(?= )")


@attrs.frozen
class ClusterSettings:
    """The part of Slurm's configuration that decides something. ``min_job_age``: seconds; None: ended jobs are kept for
    ever.
    """

    cluster: str
    version: str
    min_job_age: float | None
    message_timeout: float
    kill_wait: float
    has_accounting: bool


class Cluster:
    """One Slurm cluster."""

    def __init__(self, name: str, commands: Commands) -> None:
        self.name = name
        self.commands = commands
        self._shown = (-math.inf, Shown())

    async def version(self) -> str:
        """Slurm's version, such as 22.05.8. Raises :class:`Unavailable` for one too old, or for missing commands."""
        for program in PROGRAMS:
            self.commands.found(program)
        words = (await self._asked("squeue", "--version")).out.strip()
        found = _VERSION.search(words)
        if found is not None and int(found[1]) < _OLDEST:
            raise Unavailable(f"{self.name} is {words[:100]}: Slurm {_OLDEST}.02 or newer is needed")
        return "unknown" if found is None else found[0]

    async def settings(self) -> ClusterSettings:
        """Return Slurm's configuration, as the controller has it now."""
        found = dict(_SETTING.findall((await self._asked("scontrol", "show", "config")).out))
        age = _seconds(found, "MinJobAge")
        timeout = _seconds(found, "MessageTimeout")
        if age is None or timeout is None:
            raise ProviderError(f"{self.name}: scontrol show config names no MinJobAge or no MessageTimeout")
        storage = found.get("AccountingStorageType", "")
        return ClusterSettings(
            cluster=found.get("ClusterName", "")[:100],
            version=found.get("SLURM_VERSION", "")[:100],
            min_job_age=age or None,
            message_timeout=timeout,
            kill_wait=_seconds(found, "KillWait") or 0.0,
            has_accounting="slurmdbd" in storage,
        )

    async def jobs(self) -> Shown:
        """Return all jobs of this user that Slurm shows. This is one command, however many there are."""
        asked_at = trio.current_time()
        user = f"--user={self.commands.user}"
        answer = await self._asked("squeue", "--noheader", "--states=all", user, f"--format={FORMAT}")
        self._shown = asked_at, Shown.of(answer.out)
        return self._shown[1]

    async def jobs_of(self, key: str, job_id: int | None) -> Sequence[SlurmJob]:
        """Return the jobs of ``key``, as they were a moment ago, so that many cancels at once cost one command.

        ``job_id``: see :meth:`Shown.of_key`.
        """
        asked_at, shown = self._shown
        if trio.current_time() - asked_at <= MOMENT and (found := shown.of_key(key, job_id)):
            return found
        return (await self.jobs()).of_key(key, job_id)

    async def ending(self, job_id: int) -> Ending:
        """Return the exit code and the signal of a job that has ended; empty if Slurm does not show it any more."""
        answer = await self._run("scontrol", "--oneliner", "show", "job", str(job_id))
        found = _ENDING.search(answer.out)
        return Ending() if found is None else ending_of(found[1])

    async def nodes(self, nodes: str) -> str | None:
        """Return what Slurm shows of these nodes, one line for each; None: it shows nothing."""
        answer = await self._run("scontrol", "--oneliner", "show", "node", nodes)
        return answer.out if answer.status == 0 else None

    async def cancel(self, job_id: int, *, only_waiting: bool = False) -> None:
        """Ask for the end of a job. It is no error if the job is unknown or has ended."""
        await self._asked("scancel", *(["--state=PENDING"] if only_waiting else []), str(job_id))

    async def _asked(self, program: str, *arguments: str) -> Answer:
        answer = await self._run(program, *arguments)
        if answer.status != 0:
            raise query_failure(program, answer.words, self.name)
        return answer

    async def _run(self, program: str, *arguments: str) -> Answer:
        with explained_as(Unavailable, self.name, CommandTooSlow, reached=True):
            return await self.commands.run(program, *arguments)


def _seconds(settings: Mapping[str, str], name: str) -> float | None:
    found = _SECONDS.match(settings.get(name, ""))
    return None if found is None else float(found[1])
