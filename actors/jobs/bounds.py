"""What stops an entry, and the texts for it: limits of users and organisations, closed providers, free resources.

During one pass of the scheduler everything here only gets tighter, so a reason stays true until the end of the pass.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from actors.jobs.capacity import FreeResources, can_ever_fit
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.reservations import Holder, Holders, Reservation, ReservePolicy, gives_back_in_time, starts_by


@attrs.frozen
class WaitReason:
    """Why an entry waits: the kind, the reason in words, the setting that would change it.

    Kinds: ``global``, ``user``, ``organisation``, ``team``, ``provider`` (limits), ``resources``, ``never`` (more than
    its provider has in all), ``closed``, ``turn`` (others come first), ``next``.
    """

    kind: str
    reason: str
    setting: str | None = None


@attrs.frozen
class ProviderState:
    """The capacity of a provider. ``closed``: why it gets no jobs now; None if it does."""

    capacity: Capacity
    closed: WaitReason | None = None


class Quota:
    """One limit that each user, organisation or team has, and how many jobs of each run. ``provider``: only those
    there count.
    """

    def __init__(self, kind: str, bound: int, provider: str | None = None) -> None:
        self._kind = kind
        self._setting = f"limits.per_{kind}" if provider is None else f"limits.per_provider_per_{kind}"
        self._where = "" if provider is None else f" at provider {provider}"
        self._bound = bound
        self._running: dict[str, int] = {}
        self._stopped: dict[str, WaitReason] = {}

    def count(self, who: str, number: int) -> None:
        """Count ``number`` more running jobs."""
        self._running[who] = self._running.get(who, 0) + number

    def wait(self, who: str) -> WaitReason | None:
        """Why no more jobs may run; None if one may."""
        number = self._running.get(who, 0)
        if number < self._bound:
            return None
        wait = self._stopped.get(who)
        if wait is None:
            reason = f"{number} of {self._bound} jobs of {self._kind} {who}{self._where} are running"
            wait = self._stopped[who] = WaitReason(self._kind, reason, self._setting)
        return wait


@attrs.frozen
class Borrowing:
    """What decides who may use resources that are kept for another job: the policy, and what runs at a provider."""

    policy: ReservePolicy
    holders: Holders


class ProviderPass:
    """One provider during a pass: whether it may be called, how many jobs it runs, what is free there.

    ``separate``: whether its jobs are limited separately from all others; then ``users`` limits those of each user.
    """

    def __init__(self, name: str, state: ProviderState | None, limits: Limits) -> None:
        self._name = name
        self._running = 0
        self._capacity = Capacity() if state is None else state.capacity
        self.separate = self._capacity.separate_limits
        self._bound = limits.of_provider(name, separate=self.separate)
        self.users = Quota("user", limits.per_provider_per_user, name)
        self._short: dict[tuple[int, int, int | None], WaitReason] = {}
        self.free = FreeResources.of(self._capacity)
        self.reservation: Reservation | None = None
        self._begun: list[Holder] = []
        self._before: tuple[FreeResources, list[Holder]] | None = None
        self._starts_by: datetime | None = None
        self.closed: WaitReason | None = None
        if state is None:
            self.closed = WaitReason("closed", f"provider {name} is not configured", f"providers.{name}")
        else:
            self.closed = state.closed

    def count(self, resources: Resources, number: int) -> None:
        """``number`` more jobs of these needs run here."""
        self._running += number
        self.free.take(resources, number)
        self._short.clear()

    def begins(self, holder: Holder) -> None:
        """A job was picked, which will hold these resources."""
        self._begun.append(holder)

    def keep(self, job_id: str, resources: Resources) -> None:
        """Keep what this job needs from later ones, as far as it is free; only for the first such job."""
        if self.reservation is not None:
            return
        short = tuple(name for name, need, free in self.free.compared(resources) if need > free)
        self._before = attrs.evolve(self.free), list(self._begun)
        kept = self.free.keep(resources)
        self.reservation = Reservation(self._name, job_id, resources, kept, short, self._capacity)
        self._short.clear()

    def may_borrow(self, lane_needs: Resources, max_runtime: float | None, now: datetime, rules: Borrowing) -> bool:
        """Whether a job may use some of what is kept, because it certainly gives that back in time."""
        if self.reservation is None or max_runtime is None or not self.free.fits_with_kept(lane_needs):
            return False
        if self._before is not None:
            free, begun = self._before
            holders = [*rules.holders(self._name), *begun]
            self._starts_by, self._before = starts_by(self.reservation.needs, free, holders, now), None
        return gives_back_in_time(now, max_runtime, rules.policy.grace.get(self._name), self._starts_by)

    def limit(self) -> WaitReason | None:
        """Why no more jobs may run here, whatever they need; None if one may."""
        if self._bound is None or self._running < self._bound:
            return None
        reason = f"{self._running} of {self._bound} jobs at provider {self._name} are running"
        return WaitReason("provider", reason, f"limits.per_provider.{self._name}")

    def shortage(self, resources: Resources) -> WaitReason:
        """Why a job with these needs, which does not fit now, waits."""
        shape = (resources.cpus, resources.gpus, resources.memory)
        wait = self._short.get(shape)
        if wait is None:
            never = can_ever_fit(resources, self._capacity)
            reason, resource = self.free.shortage(resources)
            setting = f"providers.{self._name}.{resource}"
            if never is None:
                wait = WaitReason("resources", reason, setting)
            else:
                wait = WaitReason("never", f"provider {self._name} {never}", setting)
            self._short[shape] = wait
        return wait
