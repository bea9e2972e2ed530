"""Submits a job so that it runs once, even if the answer is lost.

**The intent first.** The job's directory, the program's script and the intent are on the shared file system before
sbatch is called; while an sbatch of the key lives, its lock is held (:mod:`.records`). What can happen between two
lines: killed before the intent is written, nothing was sent; killed thereafter, or sbatch's answer lost, the intent
says so, and :mod:`.finding` tells what became of it. A key that has an intent is therefore looked for first, and sent
again only if it surely did not arrive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs
import trio

from actors.providers import errors
from actors.providers.base import ABSENT
from actors.providers.disk_threads import DiskThreads
from actors.providers.local.shim.files import write_plain
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.finding import Adopted, Finder
from actors.providers.slurm.records import Records
from actors.providers.slurm.refusals import refusal
from actors.providers.slurm.script import batch_script, run_script

SBATCH_SECONDS = 45.0
"""Less than a submission may take in all: then it is ended by us, and surely gone."""

_ACCEPTED = re.compile(r"^([1-9][0-9]{0,18})(?:;[\w.-]+)?$", re.MULTILINE)


@attrs.frozen
class Submitter:
    """Submits jobs to one cluster."""

    _cluster: Cluster
    _records: Records
    _outputs: SharedOutputs
    _finder: Finder
    _threads: DiskThreads
    _now: Callable[[], datetime]
    _locks: dict[str, trio.Lock] = attrs.field(factory=dict)

    async def submit(self, key: str, token: str, body: Mapping[str, Any], context: Mapping[str, str]) -> Adopted:
        """Return the Slurm job of this key, and whether it was there before."""
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                return await self._submit(key, token, body, context)
        finally:
            if not lock.statistics().tasks_waiting:
                self._locks.pop(key, None)

    async def _submit(self, key: str, token: str, body: Mapping[str, Any], context: Mapping[str, str]) -> Adopted:
        known = await self._finder.known(key)
        if known.intent is not None or known.start is not None or known.exit is not None:
            with errors.explained_as(
                errors.OutcomeUnknown, f"whether {key} was accepted before is not known", errors.ProviderError
            ):
                found = await self._finder.find(key, token)
            if isinstance(found, Adopted):
                return found
            if found is not ABSENT:
                raise errors.OutcomeUnknown(f"whether {key} was accepted before cannot be known any more")
        environment = await self._outputs.variables(key, context)
        with errors.explained_as(errors.Unavailable, f"{self._records.directory} cannot be written to"):
            with_own = {**body["env"], **environment}
            await self._threads.run(self._write_script, key, with_own, body)
            return await self._call(key, token, body["options"])

    def _write_script(self, key: str, environment: Mapping[str, str], body: Mapping[str, Any]) -> None:
        directory = self._outputs.directory(key)
        cwd = body["cwd"]
        if cwd is None:
            directory.work.mkdir(mode=0o700, exist_ok=True)
            cwd = str(directory.work)
        with directory.opened() as folder:
            write_plain(folder, "run", run_script(environment, cwd, body["argv"]), sync=False, sync_name=False)

    async def _call(self, key: str, token: str, options: list[str]) -> Adopted:
        """Call sbatch, with its lock held. Raises OSError if nothing was sent."""
        directory = self._outputs.directory(key)
        arguments = [
            "--parsable", f"--comment={key}", "--no-requeue", "--open-mode=append",
            f"--output={directory.log}", f"--chdir={directory.path}", *options,
        ]  # fmt: skip
        with self._records.locked(key) as lock:
            if lock is None:
                raise errors.OutcomeUnknown(f"an sbatch of {key} is still under way")
            await self._threads.run(self._records.begin, key, token, self._now())
            script = batch_script(self._records.directory, key)
            try:
                answer = await self._cluster.commands.run(
                    "sbatch", *arguments, stdin=script, seconds=SBATCH_SECONDS, keep=(lock,)
                )
            except errors.Unavailable as error:  # it was not even started
                raise await self._refused(key, error) from error
            except errors.ProviderError as error:
                raise errors.OutcomeUnknown(f"whether {key} was accepted is not known: {error}") from error
        if answer.status != 0:
            raise await self._refused(key, refusal(answer.words, self._cluster.name))
        if (found := _ACCEPTED.search(answer.out)) is None:
            raise errors.OutcomeUnknown(f"sbatch printed no job's number: {answer.out[:200]!r}")
        job_id = int(found[1])
        with suppress(OSError):  # the handle has it, too
            await self._threads.run(self._records.accepted, key, token, self._now(), job_id)
        return Adopted(job_id)

    async def _refused(self, key: str, error: errors.ProviderError) -> errors.ProviderError:
        """Return ``error``. If it is certainly a refusal, the intent is removed."""
        if not isinstance(error, errors.OutcomeUnknown):
            with suppress(OSError):
                await self._threads.run(self._records.withdraw, key)
        if isinstance(error, errors.Invalid):  # it will not be tried again, and its script may hold secrets
            with suppress(errors.ProviderError):
                await self._outputs.remove(key)
        return error
