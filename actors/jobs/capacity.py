"""Compares what a job needs with what a provider has: whether it fits, and the text for what is short."""

from __future__ import annotations

import math

import attrs

from actors.jobs.records import Capacity, Resources

_SIZES = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def can_ever_fit(resources: Resources, capacity: Capacity) -> str | None:
    """Why a job with these needs can never run there ("has 2 GPUs in all, the job needs 4"); None if it can."""
    whole = FreeResources.of(capacity)
    short = [
        f"has {amount(name, there)} in all, the job needs {amount(name, need)}"
        for name, need, there in whole.compared(resources)
        if need > there
    ]
    return " and ".join(short) or None


@attrs.define
class FreeResources:
    """What is free at one provider, counted down; infinite for a resource that is not counted there.

    ``kept``: in addition, what is free but kept for one job (:mod:`actors.jobs.reservations`); None: nothing is.
    """

    cpus: float
    gpus: float
    memory: float
    kept: FreeResources | None = None

    @classmethod
    def of(cls, capacity: Capacity) -> FreeResources:
        """The whole capacity of a provider."""
        return cls(_counted(capacity.cpus), _counted(capacity.gpus), _counted(capacity.memory))

    def take(self, resources: Resources, count: int = 1) -> None:
        """Take what ``count`` jobs need, or as much as there is, because the capacity may have shrunk below what runs.

        What is kept is taken last.
        """
        if self.kept is not None:
            self.kept.take(self._beyond(resources), count)
        if resources.cpus:
            self.cpus = max(0, self.cpus - count * resources.cpus)
        if resources.gpus:
            self.gpus = max(0, self.gpus - count * resources.gpus)
        if resources.memory:
            self.memory = max(0, self.memory - count * resources.memory)

    def _beyond(self, resources: Resources) -> Resources:
        """What of a job's needs is not free here."""
        short = {name: int(max(0, need - free)) for name, need, free in self.compared(resources)}
        return Resources(**short)

    def give_back(self, resources: Resources) -> None:
        """A job of these needs has ended."""
        self.cpus += resources.cpus
        self.gpus += resources.gpus
        self.memory += resources.memory or 0

    def keep(self, resources: Resources) -> Resources:
        """Keep as much as is free of what one job needs, which is returned."""
        kept = Resources(**{name: int(min(need, free)) for name, need, free in self.compared(resources)})
        self.take(kept)
        self.kept = FreeResources(kept.cpus, kept.gpus, kept.memory or 0)
        return kept

    def fits(self, resources: Resources) -> bool:
        """Whether all that a job needs is free."""
        return resources.cpus <= self.cpus and resources.gpus <= self.gpus and (resources.memory or 0) <= self.memory

    def fits_with_kept(self, resources: Resources) -> bool:
        """Whether it would be free if nothing was kept."""
        return self.kept is not None and self.kept.fits(self._beyond(resources))

    def shortage(self, resources: Resources) -> tuple[str, str]:
        """What is short, in words ("waiting for 2 GPUs, 1 free"), and the name of the first such resource."""
        short = [(name, need, free) for name, need, free in self.compared(resources) if need > free]
        words = "; ".join(f"{amount(name, need)}, {_number(name, free)} free" for name, need, free in short)
        kept = " (some are kept for a job that comes first)" if self.kept is not None else ""
        return f"waiting for {words}{kept}", short[0][0]

    def compared(self, resources: Resources) -> tuple[tuple[str, int, float], ...]:
        """Each resource: its name, what is needed, what is free."""
        return (
            ("cpus", resources.cpus, self.cpus),
            ("gpus", resources.gpus, self.gpus),
            ("memory", resources.memory or 0, self.memory),
        )


def _counted(number: int | None) -> float:
    return math.inf if number is None else number


def amount(name: str, number: float) -> str:
    """An amount of a resource in words: ``1 GPU``, ``4 CPUs``, ``16 GiB of memory``."""
    if name == "memory":
        return f"{_number(name, number)} of memory"
    return f"{_number(name, number)} {name[:-1].upper()}{'' if number == 1 else 's'}"


def _number(name: str, number: float) -> str:
    if name == "memory":
        for unit, size in _SIZES:
            if number >= size:  # rounded down: what is free is never overstated
                return f"{math.floor(number / size * 10) / 10:g} {unit}"
        return f"{number:.0f} B"
    return f"{number:.0f}"
