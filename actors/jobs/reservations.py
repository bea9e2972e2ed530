"""Wide jobs: what is kept free at a provider for the first job that has been short of resources for too long.

Another job may use what is kept only if it certainly gives that back in time: before the latest possible start of the
job for which it is kept, by the ``max_runtime`` of what runs. If that is not known, it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import attrs

from actors.jobs.capacity import FreeResources, amount
from actors.jobs.records import Capacity, Resources

AT_ONCE = 30
"""An override of at least this reserves without waiting first; over the network an override needs level lead."""

HAND_OVER = 60.0
"""Seconds that may pass between the decision and the moment from which ``max_runtime`` counts."""


@attrs.frozen
class Holder:
    """What one running job has. ``ends_by``: when it surely has ended; None: that is not known."""

    resources: Resources
    ends_by: datetime | None


Holders = Callable[[str], Iterable[Holder]]
"""What runs at a provider, read only where something is kept there."""


@attrs.frozen
class ReservePolicy:
    """``after``: seconds for which a job is short of resources before they are kept for it.

    ``grace``: by provider, seconds after its ``max_runtime`` at which a job has surely ended; a provider that is not in
    it does not end jobs by that.
    """

    after: float = 600.0
    grace: Mapping[str, float] = attrs.field(factory=dict)

    def holder(self, provider: str, resources: Resources, since: datetime, max_runtime: float | None) -> Holder:
        """What a job has that was claimed at ``since``."""
        grace = self.grace.get(provider)
        if max_runtime is None or grace is None:
            return Holder(resources, None)
        return Holder(resources, _later(since, max_runtime + grace))


USUAL_POLICY = ReservePolicy()


@attrs.frozen
class Reservation:
    """What is kept at ``provider`` for a job of these needs: as much of ``needs`` as is free (``kept``)."""

    provider: str
    job_id: str
    needs: Resources
    kept: Resources
    short: tuple[str, ...]
    capacity: Capacity

    def in_words(self, name: str) -> str:
        """``keeping 1 of 2 GPUs free for big-model``: of what was short. ``name``: what people call the job."""
        parts = [_of(one, getattr(self.kept, one) or 0, getattr(self.capacity, one)) for one in self.short]
        return f"keeping {' and '.join(parts)} free for {name}"


def _of(resource: str, kept: int, there: int | None) -> str:
    if there is None:  # pragma: no cover - what is unbounded is never short
        return amount(resource, kept)
    if resource == "memory":
        return f"{amount(resource, kept).removesuffix(' of memory')} of {amount(resource, there)}"
    return f"{kept} of {amount(resource, there)}"


def starts_by(needs: Resources, free: FreeResources, holders: Iterable[Holder], now: datetime) -> datetime | None:
    """When a job of these needs can start at the latest, by the certain ends of what runs; None: not known.

    ``free``: what is free now. A job that runs longer than it may is not counted on.
    """
    room = attrs.evolve(free)
    known = [(one.ends_by, one.resources) for one in holders if one.ends_by is not None and one.ends_by > now]
    for ends_by, resources in sorted(known, key=lambda one: one[0]):
        room.give_back(resources)
        if room.fits(needs):
            return ends_by
    return None


def gives_back_in_time(now: datetime, max_runtime: float | None, grace: float | None, before: datetime | None) -> bool:
    """Whether a job that is claimed now has surely ended ``before`` (None: not known)."""
    if max_runtime is None or grace is None or before is None:
        return False
    return _later(now, HAND_OVER + max_runtime + grace) <= before


def _later(since: datetime, seconds: float) -> datetime:
    try:
        return since + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=since.tzinfo)
