"""Whether the cluster has a job of some key: found, surely not there, or not known.

It is found where a record in our directory or a job that Slurm shows says so. That it is *surely not there* is said

- at once, where no intent was ever written: sbatch was not called. Only a directory that was ours before the job was
  made can tell that; a newer one (a restored state) is empty for another reason.
- else, if no sbatch of it lives, neither a start nor an exit record is there, and squeue has twice not shown it, at
  least ``absent_after`` and twice MessageTimeout apart, while the intent was younger than MinJobAge: before that, Slurm
  would still show a job that had been accepted, even if it had ended.
- of an older one, if Slurm's accounting answers and does not know it.

Otherwise it cannot be known. A file system or a controller that does not answer is no absence: the question fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import attrs
import trio

from actors.jobs.durations import seconds_between
from actors.jobs.ids import time_of
from actors.providers.base import ABSENT, UNKNOWABLE, Absent, Unknowable
from actors.providers.disk_threads import DiskThreads
from actors.providers.errors import ProviderError, Unavailable, explained_as
from actors.providers.slurm.accounting import Accounted, accounted
from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.records import Known, Records
from actors.providers.slurm.squeue import SlurmJob
from actors.providers.slurm.statuses import RUNNING, WAITING
from logconf import get_logger

_logger = get_logger(__name__)

_RANK = {**dict.fromkeys(RUNNING, 0), **dict.fromkeys(WAITING, 1)}


@attrs.frozen
class Adopted:
    """The Slurm job of a key. ``existed``: it was there before. ``job_id`` None: it is not known any more which one it
    is.
    """

    job_id: int | None
    existed: bool = False
    job: SlurmJob | None = None
    known: Known = attrs.field(factory=Known)


def chosen(jobs: Sequence[SlurmJob], known: Known) -> SlurmJob | None:
    """Return which of several Slurm jobs with one key is the job: the one that started its program.

    If none has, it is one that Slurm is just starting, because this one will; then one that waits; then one that ended
    without it; of several, the earliest. None: the one that started the program is not shown.
    """
    begun = next((one.job_id for one in (known.exit, known.start) if one is not None and one.job_id is not None), None)
    if begun is not None:
        return next((job for job in jobs if job.job_id == begun), None)
    return min(jobs, key=lambda job: (_RANK.get(job.state, len(_RANK)), job.job_id), default=None)


@attrs.define(eq=False)
class Finder:
    """Finds the jobs of one cluster. ``absent_after``: seconds."""

    _cluster: Cluster
    _records: Records
    _threads: DiskThreads
    _absent_after: float
    _now: Callable[[], datetime]
    _since: datetime | None = attrs.field(default=None, init=False)
    _missed_at: dict[str, float] = attrs.field(factory=dict, init=False)
    _gone_at: dict[str, float] = attrs.field(factory=dict, init=False)

    async def ready(self) -> datetime:
        """Make our directory where it is missing; since when it is ours. Raises :class:`Unavailable`."""
        if self._since is None:
            with explained_as(Unavailable, f"{self._records.directory} cannot be used"):
                self._since = await self._threads.run(self._records.make, self._now())
        return self._since

    async def known(self, key: str) -> Known:
        """What our records say. Raises :class:`Unavailable` where they cannot be read."""
        return (await self.known_of([key]))[key]

    async def known_of(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what is known of many keys, in one thread."""
        await self.ready()

        def read() -> dict[str, Known]:
            return {key: self._records.known(key, self._now()) for key in keys}

        with explained_as(Unavailable, f"{self._records.directory} cannot be read", reached=True):
            return await self._threads.run(read)

    async def find(self, key: str, token: str) -> Adopted | Absent | Unknowable:
        """What became of a submission. Raises :class:`ProviderError` where that is not known yet."""
        since = await self.ready()
        known = await self.known(key)
        made = time_of(key)
        if known == Known() and (made is None or since <= made):
            return ABSENT
        if token and known.intent is not None and known.intent.token and known.intent.token != token:
            return UNKNOWABLE
        shown = (await self._cluster.jobs()).of_key(key)
        if (found := await self._there(key, known, shown)) is not None:
            self._missed_at.pop(key, None)
            return found
        age = known.intent.age if known.intent is not None else None
        if known.intent is None and made is not None:
            age = seconds_between(made, self._now())
        return await self._absent(key, known, age)

    async def accounted(self, key: str, known: Known) -> list[Accounted] | None:
        """Return what Slurm's accounting has of ``key``, or None if it does not answer."""
        since = known.intent.at if known.intent is not None else time_of(key)
        directory = str(self._records.directory / "jobs" / key)
        return await accounted(self._cluster.commands, key, directory, since)

    async def _there(self, key: str, known: Known, shown: Sequence[SlurmJob]) -> Adopted | None:
        if (job := chosen(shown, known)) is not None:
            await self.cancel_others(key, job, shown)
            return Adopted(job.job_id, existed=True, job=job, known=known)
        records = [one for one in (known.exit, known.start, known.intent) if one is not None]
        job_id = next((one.job_id for one in records if one.job_id is not None), None)
        if job_id is not None or known.start is not None or known.exit is not None:
            return Adopted(job_id, existed=True, known=known)
        return None

    async def cancel_others(self, key: str, job: SlurmJob, shown: Sequence[SlurmJob]) -> None:
        """If there are two Slurm jobs with one key (accepted late), cancel those that wait. One that starts ends by
        itself.
        """
        for other in shown:
            if other.job_id != job.job_id and other.state in WAITING:
                _logger.warning(
                    "Two Slurm jobs have the key %s: %d is kept, %d is cancelled", key, job.job_id, other.job_id,
                    extra={"provider": self._cluster.name, "kept": job.job_id, "cancelled": other.job_id},
                )  # fmt: skip
                await self._cluster.cancel(other.job_id, only_waiting=True)

    def confirm_gone(self, key: str) -> None:
        """Raises :class:`ProviderError` for a job that Slurm showed a moment ago: it may be starting anew itself."""
        first = self._gone_at.setdefault(key, trio.current_time())
        if (left := first + self._absent_after - trio.current_time()) > 0:
            raise _counts_later(left)

    def note_shown(self, keys: Iterable[str]) -> None:
        """Note that Slurm shows jobs of these keys."""
        for key in keys:
            self._gone_at.pop(key, None)

    async def _absent(self, key: str, known: Known, age: float | None) -> Adopted | Absent | Unknowable:
        """Decide after the submission was not seen anywhere this time. ``age``: seconds since its intent, if known."""
        if not await self._threads.run(self._records.no_sbatch_lives, key):
            self._missed_at.pop(key, None)
            raise ProviderError(f"an sbatch of {key} is still under way")
        settings = await self._cluster.settings()
        if age is None or age >= (math.inf if settings.min_job_age is None else settings.min_job_age):
            self._missed_at.pop(key, None)
            return await self._by_accounting(key, known)
        apart = max(self._absent_after, 2 * settings.message_timeout)
        first = self._missed_at.setdefault(key, trio.current_time())
        if (left := first + apart - trio.current_time()) > 0:
            raise _counts_later(left)
        self._missed_at.pop(key, None)
        return await self._withdrawn(key)

    async def _by_accounting(self, key: str, known: Known) -> Adopted | Absent | Unknowable:
        """Decide by the accounting, because Slurm can have forgotten the job by now."""
        found = await self.accounted(key, known)
        if found is None:
            return UNKNOWABLE
        if job := chosen([one.job for one in found], known):
            return Adopted(job.job_id, existed=True, job=job, known=known)
        return await self._withdrawn(key)

    async def _withdrawn(self, key: str) -> Absent:
        """The job is surely not there. Its intent is removed, because the next submission has another token."""
        with explained_as(Unavailable, f"{self._records.directory} cannot be written to", reached=True):
            await self._threads.run(self._records.withdraw, key)
        return ABSENT


def _counts_later(seconds: float) -> ProviderError:
    what = "it counts as absent if Slurm does not show it for another"
    return ProviderError(f"Slurm does not show it; {what} {seconds:.0f} s")
