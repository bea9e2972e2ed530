"""Removing by hand what was kept long enough (C6)."""

from __future__ import annotations

from actors.control.operations import Operations
from actors.jobs.refusal import Refused
from actors.jobs.retention import PruneResult, kept_since
from actors.ledger.prune import release_hold
from actors.pruner import held, prune
from actors.store import holds


class Housekeeping(Operations):
    """The operation of :class:`actors.control.control.Runtime` that removes old jobs."""

    _retention_days: int

    async def said_of_hold(self) -> tuple[list[str], tuple[str, ...]]:
        """Reasons and notes of the health: a hold is a fault only where it keeps something."""
        hold = await self.ledger.read(holds.current)
        if hold is None:
            return [], ()
        text = f"nothing is removed by its age: {hold.in_words()}"
        return ([text], ()) if hold.told else ([], (text,))

    async def prune(self, *, dry_run: bool = False, yes: bool = False) -> PruneResult:
        """Remove now the jobs that were kept long enough, or only say how many would go.

        ``yes``: even where a hold keeps them, which ends by this. Raises :class:`Refused` where one does otherwise.
        """
        before = kept_since(self._clock.now(), self._retention_days)
        if yes and not dry_run:
            await self.ledger.write(release_hold)
        elif not dry_run and (hold := await held(self.ledger, before)) is not None:
            raise Refused(f"nothing was removed: {hold.in_words()}")
        return await prune(self.ledger, self._providers, before, dry_run=dry_run)
