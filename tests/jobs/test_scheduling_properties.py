"""The decision against a reference that walks every entry in order and counts everything anew for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.bounds import ProviderState, WaitReason
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Decision, Head, Lane, Running, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIB = 2**30

PAUSED = WaitReason("closed", "provider ray is paused: a word")


@attrs.frozen
class Kind:
    """All by which entries share a lane."""

    user: str
    org: str | None
    team: str | None
    provider: str
    needs: Resources
    base: int
    override: int | None


@attrs.frozen
class Entry:
    kind: Kind
    queued_at: datetime
    seq: int


@attrs.frozen
class Situation:
    entries: list[Entry]
    running: list[Running]
    limits: Limits
    providers: dict[str, ProviderState]
    blocked: dict[Kind, datetime]
    at_most: int | None


resources = st.builds(Resources, st.integers(0, 2), st.integers(0, 3), st.sampled_from([None, 4 * GIB, 8 * GIB]))
users = st.sampled_from(["ana", "bo", "cy"])
organisations = st.sampled_from([None, "lab", "institute"])
teams = st.sampled_from([None, "vision"])
provider_names = st.sampled_from(["local", "ray", "gone"])
kinds = st.builds(
    Kind, users, organisations, teams, provider_names, resources, st.sampled_from([0, 10, 20, 30]),
    st.sampled_from([None, None, 0, 5, 45, 50]),
)  # fmt: skip
capacities = st.builds(
    Capacity,
    st.none() | st.integers(0, 6), st.none() | st.integers(0, 4), st.sampled_from([None, 8 * GIB, 20 * GIB]),
    st.booleans(),
)  # fmt: skip
providers = st.fixed_dictionaries(
    {
        "local": st.builds(ProviderState, capacities),
        "ray": st.builds(ProviderState, capacities, st.sampled_from([None, None, PAUSED])),
    }
)
small = st.integers(0, 4)
limits = st.builds(
    Limits,
    st.integers(0, 8),
    small,
    small,
    small,
    st.booleans(),
    st.dictionaries(provider_names, small, max_size=2),
    small,
    st.booleans(),
)
running = st.lists(
    st.builds(Running, users, organisations, teams, provider_names, resources, st.integers(1, 2)), max_size=3
)
minutes = st.integers(-1, 400)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    known = draw(st.lists(kinds, min_size=1, max_size=6, unique=True))
    queued = draw(st.lists(st.tuples(st.sampled_from(known), minutes), max_size=14))
    entries = [Entry(kind, NOW - timedelta(minutes=minute), seq) for seq, (kind, minute) in enumerate(queued)]
    blocked = draw(st.dictionaries(st.sampled_from(known), st.sampled_from([5, 10, 11, 90]), max_size=3))
    return Situation(
        entries,
        draw(running),
        draw(limits),
        draw(providers),
        {kind: NOW - timedelta(minutes=minute) for kind, minute in blocked.items()},
        draw(st.none() | st.integers(0, 3)),
    )


def by_age(entry: Entry) -> tuple[datetime, int]:
    return (entry.queued_at, entry.seq)


def by_rank(entry: Entry) -> tuple[int, datetime, int]:
    kind = entry.kind
    priority = kind.base if kind.override is None else kind.override
    waited = NOW - entry.queued_at
    while priority < 40 and waited >= timedelta(hours=1):
        waited -= timedelta(hours=1)
        priority = min(40, priority + 10)
    return (-priority, entry.queued_at, entry.seq)


def members(situation: Situation) -> dict[Kind, list[Entry]]:
    grouped: dict[Kind, list[Entry]] = {}
    for entry in sorted(situation.entries, key=by_age):
        grouped.setdefault(entry.kind, []).append(entry)
    return grouped


def as_lanes(situation: Situation) -> tuple[list[Lane], Callable[[Lane], Head | None]]:
    lanes, following = [], {}
    for number, (kind, entries) in enumerate(members(situation).items()):
        heads = [Head(str(entry.seq), entry.queued_at, entry.seq) for entry in entries]
        following.update(pairwise(heads))
        lanes.append(
            Lane(number, kind.user, kind.org, kind.team, kind.provider, kind.needs, kind.base, kind.override,
                 len(heads), heads[0], situation.blocked.get(kind))
        )  # fmt: skip
    return lanes, lambda lane: following.get(lane.head)


def decided(situation: Situation) -> Decision:
    lanes, next_head = as_lanes(situation)
    return decide(lanes, situation.running, situation.limits, situation.providers, NOW, next_head, situation.at_most)


def within_limits(situation: Situation, run: list[Running], kind: Kind) -> bool:
    """Whether one more job of this kind stays within every limit, counted by looking at all that runs."""

    def number(same: Callable[[Running], bool]) -> int:
        return sum(one.count for one in run if same(one))

    limits = situation.limits

    def is_separate(provider: str) -> bool:
        state = situation.providers.get(provider)
        return state is not None and state.capacity.separate_limits

    def together(same: Callable[[Running], bool]) -> int:
        return number(lambda one: same(one) and (limits.count_clusters or not is_separate(one.provider)))

    def there(same: Callable[[Running], bool]) -> int:
        return number(lambda one: same(one) and one.provider == kind.provider)

    separate = is_separate(kind.provider)
    bound = limits.per_provider.get(kind.provider, 100 if separate else None)
    state = situation.providers.get(kind.provider)
    within_all = (
        together(lambda one: True) < limits.total
        and together(lambda one: one.user_id == kind.user) < limits.per_user
        and (kind.org is None or together(lambda one: one.org_id == kind.org) < limits.per_organisation)
        and (
            not limits.fair_share
            or kind.team is None
            or together(lambda one: one.team_id == kind.team) < limits.per_team
        )
    )
    return (
        state is not None
        and state.closed is None
        and (within_all or (separate and not limits.count_clusters))
        and (bound is None or there(lambda one: True) < bound)
        and (not separate or there(lambda one: one.user_id == kind.user) < limits.per_provider_per_user)
    )


def amounts(needs: Resources | Capacity) -> tuple[int | None, int | None, int | None]:
    return (needs.cpus, needs.gpus, needs.memory)


def free(situation: Situation, run: Iterable[Running], kept: Iterable[Kind], provider: str) -> list[float]:
    """What is left of each resource there, beside what runs and what is kept; never less than nothing."""
    left = [
        float("inf") if there is None else float(there) for there in amounts(situation.providers[provider].capacity)
    ]
    taken = [(one.resources, one.count) for one in run if one.provider == provider]
    taken += [(kind.needs, 1) for kind in kept if kind.provider == provider]
    for needs, count in taken:
        left = [max(0, have - count * (need or 0)) for have, need in zip(left, amounts(needs), strict=True)]
    return left


def fits(needs: Resources, left: list[float]) -> bool:
    return all((need or 0) <= have for need, have in zip(amounts(needs), left, strict=True))


def reference(situation: Situation) -> tuple[list[int], list[Running], list[Kind]]:
    """Every entry in order: the sequence numbers picked, what runs then, and what resources are kept for."""
    run, picked, kept = list(situation.running), [], []
    heads = {entries[0] for entries in members(situation).values()}
    for entry in sorted(situation.entries, key=by_rank):
        kind = entry.kind
        if situation.at_most is not None and len(picked) >= situation.at_most:
            break
        if not within_limits(situation, run, kind):
            continue
        if fits(kind.needs, free(situation, run, kept, kind.provider)):
            picked.append(entry.seq)
            run.append(Running(kind.user, kind.org, kind.team, kind.provider, kind.needs))
            continue
        since = situation.blocked.get(kind)
        ever = fits(kind.needs, free(situation, [], [], kind.provider))
        waited = entry in heads and since is not None and NOW - since > timedelta(minutes=10)
        at_once = kind.override is not None and kind.override >= 30
        if ever and (waited or at_once) and kind.provider not in [one.provider for one in kept]:
            kept.append(kind)
    return picked, run, kept


@settings(max_examples=150, deadline=None)
@given(situations())
def test_the_pass_over_lanes_picks_what_a_walk_over_all_entries_picks(situation: Situation) -> None:
    assert [pick.head.queued_seq for pick in decided(situation).picks] == reference(situation)[0]


@settings(max_examples=60, deadline=None)
@given(situations())
def test_no_entry_that_could_run_is_left_and_no_limit_is_passed(situation: Situation) -> None:
    """Every entry that is left breaks a limit or does not fit; every one that was picked broke none when it was."""
    situation = attrs.evolve(situation, at_most=None)
    decision = decided(situation)
    run = list(situation.running)
    for pick in decision.picks:
        lane = pick.lane
        kind = Kind(
            lane.user_id, lane.org_id, lane.team_id, lane.provider, lane.resources, lane.base_priority, lane.override
        )
        assert within_limits(situation, run, kind)
        assert fits(kind.needs, free(situation, run, [], kind.provider))
        run.append(Running(kind.user, kind.org, kind.team, kind.provider, kind.needs))
    picked, _, kept = reference(situation)
    for entry in situation.entries:
        if entry.seq not in picked and within_limits(situation, run, entry.kind):
            assert not fits(entry.kind.needs, free(situation, run, kept, entry.kind.provider))


@settings(max_examples=60, deadline=None)
@given(situations())
def test_every_lane_that_has_entries_left_is_told_why(situation: Situation) -> None:
    decision = decided(situation)
    lanes, _ = as_lanes(situation)
    picked = [pick.lane.lane_id for pick in decision.picks]
    if decision.everybody is None:
        left = {lane.lane_id for lane in lanes if picked.count(lane.lane_id) < lane.count}
        assert set(decision.waiting) == left
        assert all(wait.reason for wait in decision.waiting.values())


@settings(max_examples=30, deadline=None)
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_in_which_lanes_are_read_does_not_matter(situation: Situation, random: Random) -> None:
    lanes, next_head = as_lanes(situation)
    shuffled = list(lanes)
    random.shuffle(shuffled)
    fixed = (situation.running, situation.limits, situation.providers, NOW, next_head, situation.at_most)
    assert decide(lanes, *fixed) == decide(shuffled, *fixed)
