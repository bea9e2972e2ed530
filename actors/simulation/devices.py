"""GPUs by their names: a server leases each of them to one run at once, and a job shows those of its newest run (E7).

The runtime only counts GPUs. So a server leases what is free at the acceptance of a run, until that run ends; where
less is free than the run was submitted for, it would have two runs on one device.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import attrs

from actors.jobs.records import Event, Observation, Phase
from actors.providers.scripted import Run
from actors.simulation.rules import Rule
from actors.simulation.world import PROVIDERS, World

_OF_ATTEMPT = "SELECT json_extract(outcome, '$.devices') FROM submissions WHERE key = ? AND outcome IS NOT NULL"
_SHOWN = "SELECT devices FROM jobs WHERE job_id = ?"
_NOT_YET = (Phase.QUEUED, Phase.UNKNOWN)


class Devices:
    """The GPUs of one server. One whose GPUs are not counted leases none."""

    def __init__(self, provider: str, world: World) -> None:
        self._world = world
        self._names = tuple(f"{provider}-gpu-{number}" for number in range(PROVIDERS[provider].gpus or 0))
        self._leases: dict[str, tuple[Run, tuple[str, ...]]] = {}

    def lease(self, run: Run, now: datetime) -> None:
        """Lease as many as ``run``, which was just accepted, asks for."""
        number = run.asked.resources.gpus
        if not self._names or not number:
            return
        held = {name for one, names in self._leases.values() if not one.timeline.ended(now) for name in names}
        order = sorted(self._names, key=lambda name: name in held)  # those that are free first
        self._leases[run.key] = run, tuple(order[:number])
        if self._world.restored:  # what runs since the backup is unknown, and so are its devices
            return
        twice = sorted(held.intersection(order[:number]))
        self._world.note(self._world.require, not twice, Rule.DEVICES, f"{run.key} shares {', '.join(twice)}")

    def of(self, run: Run) -> tuple[str, ...] | None:
        """The names that were leased to ``run``; None: none."""
        return self._leases[run.key][1] if run.key in self._leases else None

    def added(self, run: Run, seen: Observation) -> Observation:
        """What is seen of ``run``, with its devices once it runs."""
        names = None if seen.phase in _NOT_YET else self.of(run)
        return seen if names is None else attrs.evolve(seen, devices=names)

    def shown(self, event: Event, runs: Sequence[Run]) -> None:
        """After this event its job shows no devices, or those of the last of its ``runs``; waiting again, none."""
        for run in runs[-1:] if event.type == "job_rerun" else ():
            for (text,) in self._world.database.look(_OF_ATTEMPT, (run.key,)):
                names, runs_on = None if text is None else tuple(json.loads(text)), self.of(run)
                text = f"{run.key} ended on {runs_on}, its attempt shows {names}"
                self._world.require(names == runs_on or run.timeline.runs is None, Rule.DEVICES, text)
        found = {self.of(run) for run in runs[-1:] if event.type != "job_rerun"} | {None}
        for (text,) in self._world.database.look(_SHOWN, (event.job_id,)):
            names = None if text is None else tuple(json.loads(text))
            text = f"{event.type}: {event.job_id} shows {names}, its newest run has {found - {None}}"
            self._world.require(names in found, Rule.DEVICES, text)
