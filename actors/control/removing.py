"""Removing one ended job by hand: first what its provider keeps of it, then its rows (E7)."""

from __future__ import annotations

import attrs

from actors.control.context import Subject
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.retry import FailureKind
from actors.ledger import naming
from actors.ledger.prune import check_free, remove_one
from actors.store import names, retention
from logconf import bind_correlation_id, get_correlation_id, get_logger

_logger = get_logger("actors.control")
_ABOUT_THE_JOB = frozenset({FailureKind.INVALID, FailureKind.OTHER})


@attrs.frozen
class RemovedJob:
    """A removed job, and what that freed: bytes of its directory, events, idempotency keys.

    ``freed_bytes``: None if its provider does not say. ``left_at``: the provider that may still keep something of it,
    because it is no longer configured.
    """

    job_id: str
    name: str | None
    user_id: str
    freed_bytes: int | None
    events: int
    keys: int
    left_at: str | None = None


class Removing(Subject):
    """Removes ended jobs of one runtime."""

    async def remove(self, text: str, *, by: str | None = None) -> RemovedJob:
        """Remove an ended job with its directory, its events and its idempotency keys.

        Raises :class:`Refused` with the reason while the job is needed: by a job that waits for it or runs after it, by
        a submission that is not settled, or by its provider, which may still copy its output. If the process is killed
        in the middle, the job remains, without its directory, and can be removed again.
        """
        job = (await self._ledger.read(naming.find, text)).job
        await self._ledger.read(check_free, job.job_id)
        provider_name, correlation_id = await self._ledger.read(names.provider_and_trail_of, job.job_id)
        handed = (await self._ledger.read(retention.handed, [job.job_id]))[job.job_id]
        cycle_id = get_correlation_id()
        with bind_correlation_id(correlation_id):
            freed, left_at = await self._forget(job.job_id, provider_name, handed)
            removed = await self._ledger.write(remove_one, job.job_id)
            extra = {"job_id": job.job_id, "by": by, "bytes": freed, "events": removed.events, "cycle_id": cycle_id}
            _logger.info("Job was removed", extra=extra)
        return RemovedJob(job.job_id, job.name, job.user_id, freed, removed.events, removed.keys, left_at)

    async def _forget(
        self, job_id: str, provider_name: str, handed: tuple[tuple[str, dict[str, object]], ...]
    ) -> tuple[int | None, str | None]:
        """Let the job's provider remove what it keeps. Returns how many bytes that frees, and who still keeps
        something.
        """
        provider = self._context.providers.get(provider_name)
        if provider is None:
            return (None, provider_name) if handed else (0, None)
        total: int | None = 0
        for key, handle in handed:
            size = await provider.stored_bytes(key, handle)
            failure = await provider.forget(key, handle)
            if failure is not None:
                kind = RefusalKind.CONFLICT if failure.kind in _ABOUT_THE_JOB else RefusalKind.UNAVAILABLE
                raise Refused(f"job {job_id}: {provider_name} cannot remove what it keeps: {failure.message}", kind)
            total = None if size is None or total is None else total + size
        return total, None
