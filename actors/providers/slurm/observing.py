"""What became of many jobs: one squeue for all of them, then the records of those that Slurm has started.

squeue is asked first: a record that is read thereafter is newer than what Slurm said, never older.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.records import Observation
from actors.providers.base import View
from actors.providers.errors import ProviderError
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.finding import Finder, chosen
from actors.providers.slurm.records import Known
from actors.providers.slurm.squeue import SlurmJob
from actors.providers.slurm.statuses import (
    WAITING,
    needs_ending,
    needs_node,
    observation_of,
    vanished,
)


@attrs.frozen
class Observer:
    """Looks at the jobs of one cluster."""

    _cluster: Cluster
    _finder: Finder
    _outputs: SharedOutputs
    _now: Callable[[], datetime]

    async def observe(self, keys: Sequence[str]) -> View:
        """An observation of each, or why it could not be read."""
        await self._finder.ready()
        shown = await self._cluster.jobs()
        known = await self._finder.known_of(keys)
        observations: dict[str, Observation] = {}
        failed: dict[str, str] = {}
        for key in keys:
            try:
                observations[key] = await self._of_one(key, shown.get(key, []), known[key])
            except ProviderError as error:
                failed[key] = str(error)
        absent = frozenset(key for key in keys if key not in shown and known[key] == Known() and key in observations)
        for key in absent:
            del observations[key]
        left = await self._left(observations)
        seen = {key: attrs.evolve(one, **left.get(key, {})) for key, one in observations.items()}
        return View(seen, absent, failed)

    async def _of_one(self, key: str, jobs: Sequence[SlurmJob], known: Known) -> Observation:
        job = chosen(jobs, known)
        if job is None:
            return vanished(known, self._now())
        if len(jobs) > 1:
            await self._finder.cancel_others(key, job, jobs)
        ending = await self._cluster.ending(job.job_id) if needs_ending(job, known) else None
        node_is_back = not needs_node(job, known) or await self._cluster.node_is_back(job.host)
        return observation_of(job, known, self._now(), ending=ending, node_is_back=node_is_back)

    async def _left(self, observations: Mapping[str, Observation]) -> Mapping[str, Mapping[str, Any]]:
        """What the jobs that Slurm has started left so far."""
        begun = {
            key: one.completed_at is not None for key, one in observations.items() if one.raw_status not in WAITING
        }
        return await self._outputs.left(begun) if begun else {}
