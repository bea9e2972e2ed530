"""Observes many jobs: one squeue for all of them, then the records of the jobs that Slurm has started.

squeue is asked first, so that a record is always newer than what Slurm said.

Some jobs need commands of their own, such as those on nodes that failed. Where these are slow or many, one look has no
time for all of them, and the next one begins with those that were put off. A look ends before its deadline, because one
that is cut off tells nothing about any job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import trio

from actors.jobs.records import Observation, Phase
from actors.providers.base import Handle, View
from actors.providers.errors import ProviderError
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.finding import Finder, chosen
from actors.providers.slurm.nodes import Nodes, NodesLook
from actors.providers.slurm.records import Known
from actors.providers.slurm.squeue import SlurmJob, job_id_of
from actors.providers.slurm.statuses import (
    ENDED,
    NODE_LOST,
    WAITING,
    Ending,
    needs_ending,
    needs_nodes,
    observation_of,
    vanished,
)

_MOST_CANCELLED = 10_000
COMMANDS_BEGIN, COMMANDS_END = 10.0, 17.0
"""Seconds since the beginning of a look: for commands of single jobs. A look has 20 (``CallDeadlines.observe``)."""


@attrs.define
class _Look:
    """One look at many jobs. ``began``: on trio's clock. ``not_begun``, ``cut_off``: jobs that it had no time for."""

    nodes: NodesLook
    began: float
    has_run_commands: bool = False
    not_begun: list[str] = attrs.field(factory=list)
    cut_off: list[str] = attrs.field(factory=list)


@attrs.frozen
class Observer:
    """Looks at the jobs of one cluster."""

    _cluster: Cluster
    _finder: Finder
    _outputs: SharedOutputs
    _now: Callable[[], datetime]
    _nodes: Nodes
    _cancelled: dict[str, bool] = attrs.field(factory=dict)
    _put_off: dict[str, None] = attrs.field(factory=dict)

    async def observe(self, handles: Mapping[str, Handle]) -> View:
        """An observation of each, or why it could not be read."""
        look = _Look(self._nodes.look(), trio.current_time())
        shown = await self._cluster.jobs()
        self._finder.note_shown(key for key in handles if shown.of_key(key))
        known = await self._finder.known_of(list(handles))
        observations: dict[str, Observation] = {}
        absent: set[str] = set()
        failed: dict[str, str] = {}
        put_off = [key for key in self._put_off if key in handles]
        for key in [*put_off, *(key for key in handles if key not in self._put_off)]:
            jobs = shown.of_key(key, job_id_of(handles[key].get("id")))
            if not jobs and known[key] == Known():
                absent.add(key)
                continue
            try:
                seen = await self._in_time(key, jobs, known[key], look)
                observations[key] = await self._explained(key, seen, known[key])
            except ProviderError as error:
                failed[key] = str(error)
        for key in handles:
            self._put_off.pop(key, None)
        self._put_off.update(dict.fromkeys([*look.not_begun, *look.cut_off]))
        left = await self._left(observations)
        whole = {
            key: attrs.evolve(one, devices=_devices(known[key]), **left.get(key, {}))
            for key, one in observations.items()
        }
        return View(whole, frozenset(absent), failed)

    async def _in_time(self, key: str, jobs: Sequence[SlurmJob], known: Known, look: _Look) -> Observation:
        """Raises :class:`ProviderError` where this look has no time for the job's commands."""
        job = chosen(jobs, known)
        if not _needs_commands(job, jobs, known, look):
            return await self._of_one(key, job, jobs, known, look)
        if look.has_run_commands and trio.current_time() > look.began + COMMANDS_BEGIN:
            look.not_begun.append(key)
        else:
            look.has_run_commands = True
            with trio.move_on_at(look.began + COMMANDS_END):
                return await self._of_one(key, job, jobs, known, look)
            look.cut_off.append(key)
        raise ProviderError("Slurm's commands are slow: the next look begins with the jobs that this one put off")

    async def _of_one(
        self, key: str, job: SlurmJob | None, jobs: Sequence[SlurmJob], known: Known, look: _Look
    ) -> Observation:
        if job is None:
            return await self._vanished(key, known, look)
        if len(jobs) > 1:
            await self._finder.cancel_others(key, job, jobs)
        ending = await self._cluster.ending(job.job_id) if needs_ending(job, known) else None
        return await self._ended(job, known, ending, look)

    async def _ended(self, job: SlurmJob, known: Known, ending: Ending | None, look: _Look) -> Observation:
        back = not needs_nodes(job, known) or await look.nodes.are_back(
            job.job_id, job.nodes, were_lost=job.state in NODE_LOST
        )
        return observation_of(job, known, self._now(), ending=ending, nodes_are_back=back)

    async def _vanished(self, key: str, known: Known, look: _Look) -> Observation:
        """Slurm shows it no more: its exit record tells how it ended, or accounting does."""
        if known.exit is None and (found := await self._finder.accounted(key, known)):
            job = chosen([one.job for one in found], known)
            for one in found:
                if one.job is job and job.state in ENDED | NODE_LOST.keys():
                    return await self._ended(job, known, one.ending, look)
        if known.exit is None and known.start is None and self._cancelled.get(key):
            return Observation(Phase.CANCELED, "no longer shown", self._now())
        if known.exit is None:
            self._finder.confirm_gone(key)
        return vanished(known, self._now())

    def forget(self, key: str) -> None:
        """Forget a job that is observed no more."""
        self._put_off.pop(key, None)
        self._cancelled.pop(key, None)

    def note_cancelled(self, key: str, *, waited: bool) -> None:
        """Note that a cancel was sent, because Slurm does not say that this caused the end. ``waited``: the job had not
        begun.
        """
        self._cancelled[key] = waited
        if len(self._cancelled) > _MOST_CANCELLED:
            del self._cancelled[next(iter(self._cancelled))]

    async def _explained(self, key: str, seen: Observation, known: Known) -> Observation:
        """Return ``seen``. If the program failed by itself, the line of its output with the reason is added."""
        if seen.phase is Phase.FAILED and key in self._cancelled and seen.raw_status not in ENDED:
            return attrs.evolve(seen, phase=Phase.CANCELED, error=None)
        if seen.phase is not Phase.FAILED or known.exit is None:
            return seen
        how = f"exit status {seen.exit_code}" if seen.signal is None else f"ended by signal {seen.signal}"
        line = await self._outputs.last_line(key)
        return attrs.evolve(seen, error=": ".join(part for part in (seen.error or how, line) if part))

    async def _left(self, observations: Mapping[str, Observation]) -> Mapping[str, Mapping[str, Any]]:
        """Return what the jobs that Slurm has started have left so far."""
        begun = {
            key: one.completed_at is not None for key, one in observations.items() if one.raw_status not in WAITING
        }
        return await self._outputs.left(begun) if begun else {}


def _needs_commands(job: SlurmJob | None, jobs: Sequence[SlurmJob], known: Known, look: _Look) -> bool:
    """Return whether squeue, the records and what this look has found out are not enough."""
    if job is None:
        return known.exit is None
    asks_nodes = needs_nodes(job, known) and not look.nodes.knows(job.nodes)
    return len(jobs) > 1 or needs_ending(job, known) or asks_nodes


def _devices(known: Known) -> tuple[str, ...] | None:
    return (known.start.devices or None) if known.start is not None else None
