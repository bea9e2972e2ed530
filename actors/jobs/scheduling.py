"""Which job is next: a pure decision over lanes, limits, capacity and time, which also says why each other job waits.

A lane has all entries that are alike in everything that decides: user, organisation, team, provider, resources, base
priority, override. Inside of it the order is the queue time, which ageing cannot change, so its oldest entry represents
it. Within one pass limits and free resources only get tighter; so if the head of a lane cannot run, no entry of the
lane can, and the lane leaves the pass; and a limit once reached stays so. So the cost of a pass depends on the lanes,
not on the entries behind their heads.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import attrs

from actors.jobs.bounds import Borrowing, ProviderPass, ProviderState, Quota, WaitReason
from actors.jobs.levels import effective_priority
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.reservations import AT_ONCE, USUAL_POLICY, Holders, Reservation, ReservePolicy


@attrs.frozen
class Head:
    """The oldest entry of a lane; ``queued_seq`` orders entries with the same ``queued_at``.

    ``max_runtime``: the most seconds that it may run; None: no limit.
    """

    job_id: str
    queued_at: datetime
    queued_seq: int
    max_runtime: float | None = None


@attrs.frozen
class Lane:
    """``count`` entries that are alike in everything that decides.

    ``blocked_since``: since when the head has been skipped for lack of resources.
    """

    lane_id: int
    user_id: str
    org_id: str | None
    team_id: str | None
    provider: str
    resources: Resources
    base_priority: int
    override: int | None
    count: int
    head: Head
    blocked_since: datetime | None = None


@attrs.frozen
class Running:
    """Running jobs, ``count`` of one kind."""

    user_id: str
    org_id: str | None
    team_id: str | None
    provider: str
    resources: Resources
    count: int = 1


@attrs.frozen
class Pick:
    """An entry that may run now, and its lane."""

    lane: Lane
    head: Head


@attrs.frozen
class Decision:
    """Which entries may run now, in order; why each lane with remaining entries waits, by lane id; and a summary in one
    sentence.

    ``short_of_resources``: the lanes whose head was skipped for lack of resources; the ``blocked_since`` of others is
    to be cleared. ``everybody``: what stops every lane alike, if none was looked at. ``reservations``: what is kept for
    one job at each of some providers.
    """

    picks: tuple[Pick, ...]
    waiting: Mapping[int, WaitReason]
    short_of_resources: frozenset[int]
    summary: str
    everybody: WaitReason | None = None
    reservations: tuple[Reservation, ...] = ()


NOTHING_WAITS = Decision((), {}, frozenset(), "No pending jobs in queue")
"""The decision where no lane has an entry."""

NextHead = Callable[[Lane], Head | None]

_IS_NEXT = WaitReason("next", "is next")
_TURN = WaitReason("turn", "other jobs come first in this pass")


def _nothing_known(_provider: str) -> tuple[()]:
    return ()


def global_limit_reached(running: Iterable[Running], limits: Limits, capacities: Iterable[Capacity] = ()) -> str | None:
    """The summary if nothing more may run, found without reading a lane; None if something may.

    ``capacities``: those of all providers. If one has limits of its own, jobs may run there all the same.
    """
    if not limits.count_clusters and any(one.separate_limits for one in capacities):
        return None
    total = sum(one.count for one in running)
    return _global_summary(total, limits) if total >= limits.total else None


def nothing_may_run(summary: str) -> Decision:
    """The decision that follows from :func:`global_limit_reached`."""
    return Decision((), {}, frozenset(), summary, everybody=WaitReason("global", summary, "limits.total"))


def decide(
    lanes: Iterable[Lane],
    running: Iterable[Running],
    limits: Limits,
    providers: Mapping[str, ProviderState],
    now: datetime,
    next_head: NextHead,
    at_most: int | None = None,
    policy: ReservePolicy = USUAL_POLICY,
    holders: Holders = _nothing_known,
) -> Decision:
    """Decide which entries may run now.

    ``next_head`` is called with a lane whose head was just picked, and returns the entry after it, or None. ``lanes``
    is not read if the global limit is reached. ``at_most`` bounds the number of picks. ``policy``: for which jobs
    resources are kept; ``holders`` is called with a provider where some are kept, and returns what runs there.
    """
    running = list(running)
    full = global_limit_reached(running, limits, [one.capacity for one in providers.values()])
    if full is not None:
        return nothing_may_run(full)
    return _Pass(running, limits, providers, now, Borrowing(policy, holders)).run(lanes, next_head, at_most)


def explain(lane_id: int, decision: Decision, *, is_picked: bool = False) -> WaitReason:
    """Why an entry of this lane waits; ``is_picked``: it is among the decision's picks, unlike those behind it."""
    if is_picked:
        return _IS_NEXT
    return decision.waiting.get(lane_id) or decision.everybody or _IS_NEXT


class _Pass:
    """One pass over the lanes, the best head first, counting what it picks as running."""

    def __init__(
        self,
        running: Iterable[Running],
        limits: Limits,
        providers: Mapping[str, ProviderState],
        now: datetime,
        borrowing: Borrowing,
    ) -> None:
        self._borrowing = borrowing
        self._reserve_after = timedelta(seconds=borrowing.policy.after)
        self._limits = limits
        self._providers = providers
        self._now = now
        self._total = 0
        self._full: WaitReason | None = None
        self._users = Quota("user", limits.per_user)
        self._organisations = Quota("organisation", limits.per_organisation)
        self._teams = Quota("team", limits.per_team)
        self._passes: dict[str, ProviderPass] = {}
        for one in running:
            self._count(one, one.count)

    def run(self, lanes: Iterable[Lane], next_head: NextHead, at_most: int | None) -> Decision:
        # A sorted list beats a heap here: nearly every head is looked at, and few entries are put in on the way.
        order = sorted([self._ranked(lane) for lane in lanes])
        picks: list[Pick] = []
        waiting: dict[int, WaitReason] = {}
        short: set[int] = set()
        for place, ranked in enumerate(order, 1):
            lane = ranked[-1]
            wait = self._why_not(lane) if at_most is None or len(picks) < at_most else _TURN
            if wait is not None:
                waiting[lane.lane_id] = wait
                if self._pass_over(lane, wait):
                    short.add(lane.lane_id)
                continue
            picks.append(Pick(lane, lane.head))
            self._begin(lane)
            following = next_head(lane)
            if following is not None:
                rest = attrs.evolve(lane, head=following, count=lane.count - 1, blocked_since=None)
                insort(order, self._ranked(rest), lo=place)
        kept = tuple(one.reservation for one in self._passes.values() if one.reservation is not None)
        summary = _summary(len(picks), waiting)
        return Decision(tuple(picks), waiting, frozenset(short), summary, reservations=kept)

    def _ranked(self, lane: Lane) -> tuple[int, datetime, int, int, Lane]:
        head = lane.head
        priority = effective_priority(lane.base_priority, lane.override, head.queued_at, self._now)
        return (-priority, head.queued_at, head.queued_seq, lane.lane_id, lane)

    def _begin(self, lane: Lane) -> None:
        self._count(lane, 1)
        policy = self._borrowing.policy
        holder = policy.holder(lane.provider, lane.resources, self._now, lane.head.max_runtime)
        self._at(lane.provider).begins(holder)

    def _count(self, one: Running | Lane, number: int) -> None:
        there = self._at(one.provider)
        there.count(one.resources, number)
        if there.separate:
            there.users.count(one.user_id, number)
            if not self._limits.count_clusters:
                return
        self._total += number
        self._users.count(one.user_id, number)
        if one.org_id:
            self._organisations.count(one.org_id, number)
        if one.team_id:
            self._teams.count(one.team_id, number)

    def _at(self, name: str) -> ProviderPass:
        there = self._passes.get(name)
        if there is None:
            there = self._passes[name] = ProviderPass(name, self._providers.get(name), self._limits)
        return there

    def _why_not(self, lane: Lane) -> WaitReason | None:
        there = self._at(lane.provider)
        counted = self._limits.count_clusters or not there.separate
        if counted and self._total >= self._limits.total:  # and so it stays: nothing that counts begins any more
            self._full = self._full or WaitReason("global", _global_summary(self._total, self._limits), "limits.total")
            return self._full
        wait = there.closed or (self._common_limit(lane) if counted else None) or there.limit()
        if wait is None and there.separate:
            wait = there.users.wait(lane.user_id)
        if wait is None and not there.free.fits(lane.resources):
            if there.may_borrow(lane.resources, lane.head.max_runtime, self._now, self._borrowing):
                return None
            wait = there.shortage(lane.resources)
        return wait

    def _common_limit(self, lane: Lane) -> WaitReason | None:
        """The limit of all providers together that stops the lane, but for the global one."""
        wait = self._users.wait(lane.user_id)
        if wait is None and lane.org_id:
            wait = self._organisations.wait(lane.org_id)
        if wait is None and lane.team_id and self._limits.fair_share:
            wait = self._teams.wait(lane.team_id)
        return wait

    def _pass_over(self, lane: Lane, wait: WaitReason) -> bool:
        """Whether the lane is skipped for lack of resources; they are kept for the first one for which that has lasted
        too long.

        Another limit that stops the lane for a while does not end its waiting for resources: only free resources do.
        What a provider does not have at all is not kept, because it would stay idle for ever.
        """
        since = lane.blocked_since
        if wait.kind == "resources":
            waited = since is not None and self._now - since > self._reserve_after
            if waited or (lane.override is not None and lane.override >= AT_ONCE):
                self._at(lane.provider).keep(lane.head.job_id, lane.resources)
            return True
        return wait.kind == "never" or (since is not None and not self._at(lane.provider).free.fits(lane.resources))


_BLOCKED_BY = {
    "global": "the global limit",
    "user": "per-user concurrency limits",
    "organisation": "per-organisation concurrency limits",
    "team": "per-team concurrency limits",
    "provider": "per-provider concurrency limits",
    "resources": "provider capacity",
    "never": "provider capacity",
    "closed": "closed providers",
    "turn": "the size of this pass",
}


def _global_summary(total: int, limits: Limits) -> str:
    return f"Global limit reached ({total}/{limits.total})"


def _summary(picked: int, waiting: Mapping[int, WaitReason]) -> str:
    if picked:
        return f"Dispatching {picked} jobs"
    kinds = {wait.kind for wait in waiting.values()}
    if kinds == {"global"}:
        return next(iter(waiting.values())).reason
    blockers = dict.fromkeys(words for kind, words in _BLOCKED_BY.items() if kind in kinds)
    return f"All pending jobs blocked by {' and '.join(blockers)}" if blockers else NOTHING_WAITS.summary
