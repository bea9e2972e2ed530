"""Whether the nodes of jobs that Slurm gave up are back, and run nothing of these jobs any more."""

from __future__ import annotations

import re

import attrs
import trio

from actors.providers.slurm.cluster import Cluster

ORPHANS_END_WITHIN = 30.0
"""Seconds beyond twice KillWait in which a node that registers again ends what it still runs of jobs given up before.

Seen on 22.05: such a node is IDLE at once, and the programs went on for 5 s, or for KillWait where that is more.
"""

_STATE = re.compile(r" State=([A-Z_+*~#!%$@^-]+)")
_AWAY = re.compile(r"DOWN|UNKNOWN|NO_RESPOND|NOT_RESPONDING|FAIL|POWER|REBOOT|COMPLETING|\*")


@attrs.frozen
class Nodes:
    """The nodes of one cluster."""

    _cluster: Cluster
    _back_since: dict[int, float | None] = attrs.field(factory=dict)
    """By jobs whose nodes were away, on trio's clock; None: they still are."""

    def look(self) -> NodesLook:
        """Return a new look, which asks about each list of nodes once."""
        return NodesLook(self._cluster, self._back_since)


@attrs.define
class NodesLook:
    """What one look at many jobs has found out about their nodes."""

    _cluster: Cluster
    _back_since: dict[int, float | None]
    _answering: dict[str, bool] = attrs.field(factory=dict)
    _most_wait: float | None = None

    async def are_back(self, job_id: int, nodes: str | None, *, were_lost: bool) -> bool:
        """Return whether all nodes of a job answer, and run nothing of it any more.

        ``were_lost``: Slurm gave the job up because of one of them. In this case, and if one did not answer before,
        this must have been true for a while (:data:`ORPHANS_END_WITHIN`).
        """
        if nodes is None:
            return False
        if not await self._all_answer(nodes):
            self._back_since[job_id] = None
            return False
        if not were_lost and job_id not in self._back_since:
            return True
        since = self._back_since.get(job_id)
        if since is None:
            since = self._back_since[job_id] = trio.current_time()
        if trio.current_time() - since < await self._orphans_end_within():
            return False
        del self._back_since[job_id]
        return True

    def knows(self, nodes: str | None) -> bool:
        """Return whether nothing more has to be asked about these nodes in this look."""
        if nodes is None or nodes not in self._answering:
            return nodes is None
        return not self._answering[nodes] or self._most_wait is not None

    async def _all_answer(self, nodes: str) -> bool:
        if nodes not in self._answering:
            shown = await self._cluster.nodes(nodes)
            states = _STATE.findall(shown or "")
            self._answering[nodes] = bool(states) and not any(_AWAY.search(state) for state in states)
        return self._answering[nodes]

    async def _orphans_end_within(self) -> float:
        if self._most_wait is None:
            self._most_wait = 2 * (await self._cluster.settings()).kill_wait + ORPHANS_END_WITHIN
        return self._most_wait
