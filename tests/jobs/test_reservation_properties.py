"""What is kept for a wide job, against time: whatever else starts, it can start no later than it could before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.bounds import ProviderState
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.reservations import HAND_OVER, Holder, ReservePolicy
from actors.jobs.scheduling import Decision, Head, Lane, Running, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRACE = 10.0
WIDE = Limits(total=100, per_user=100, per_organisation=100)

Usage = tuple[Resources, float | None]
"""What one job holds, and for how many seconds from now at the most; None: nobody knows."""


@attrs.frozen
class Situation:
    capacity: Capacity
    held: list[Usage]
    lanes: list[Lane]
    grace: float | None


needs = st.builds(Resources, st.integers(0, 3), st.integers(0, 3))
lengths = st.sampled_from([None, 30.0, 120.0, 600.0, 3600.0])


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    capacity = Capacity(draw(st.integers(2, 6)), draw(st.integers(1, 4)))
    held: list[Usage] = []
    for one in draw(st.lists(st.tuples(needs, st.sampled_from([None, -5.0, 60.0, 700.0, 4000.0])), max_size=4)):
        if within(capacity, [*held, one]):
            held.append(one)
    shapes = draw(st.lists(st.tuples(needs, lengths, st.sampled_from([5, 90, None])), min_size=1, max_size=6))
    lanes = [
        Lane(number, f"user-{number}", None, None, "local", resources, 10, draw(st.sampled_from([None, None, 40])), 1,
             Head(str(number), NOW - timedelta(minutes=100 - number), number, length),
             None if blocked is None else NOW - timedelta(minutes=blocked))
        for number, (resources, length, blocked) in enumerate(shapes)
    ]  # fmt: skip
    return Situation(capacity, held, lanes, draw(st.sampled_from([GRACE, GRACE, None])))


def within(capacity: Capacity, held: Iterable[Usage]) -> bool:
    return all(left >= 0 for left in free(capacity, held))


def free(capacity: Capacity, held: Iterable[Usage], at: float = 0.0) -> tuple[int, int]:
    """CPUs and GPUs that are surely free ``at`` so many seconds from now; who is over his time has not ended."""
    there = [resources for resources, ends in held if ends is None or ends <= 0 or ends > at]
    assert capacity.cpus is not None
    assert capacity.gpus is not None
    return capacity.cpus - sum(one.cpus for one in there), capacity.gpus - sum(one.gpus for one in there)


def latest_start(capacity: Capacity, held: list[Usage], wanted: Resources) -> float | None:
    """The first second at which there surely is enough; None: never for certain."""
    for at in sorted({0.0, *(ends for _, ends in held if ends is not None and ends > 0)}):
        cpus, gpus = free(capacity, held, at)
        if wanted.cpus <= cpus and wanted.gpus <= gpus:
            return at
    return None


def decided(situation: Situation) -> Decision:
    running = [Running("x", None, None, "local", resources) for resources, _ in situation.held]
    holders = [
        Holder(resources, None if ends is None else NOW + timedelta(seconds=ends)) for resources, ends in situation.held
    ]
    grace = {} if situation.grace is None else {"local": situation.grace}
    providers = {"local": ProviderState(situation.capacity)}
    return decide(
        situation.lanes, running, WIDE, providers, NOW, lambda _lane: None,
        policy=ReservePolicy(600.0, grace), holders=lambda _provider: holders,
    )  # fmt: skip


def begun(situation: Situation, decision: Decision) -> list[tuple[str, Usage]]:
    """What was picked, in order, each with how long it holds what it has at the most."""
    found = []
    for pick in decision.picks:
        length = pick.head.max_runtime
        ends = None if length is None or situation.grace is None else HAND_OVER + length + situation.grace
        found.append((pick.head.job_id, (pick.lane.resources, ends)))
    return found


def rank(lane: Lane) -> tuple[int, datetime]:
    priority = 10 if lane.override is None else lane.override
    return (-max(priority, min(40, priority + 10)), lane.head.queued_at)


def split(situation: Situation, decision: Decision, job_id: str) -> tuple[list[Usage], list[Usage]]:
    """What was picked before the job for which something is kept, and after it."""
    order = [lane.head.job_id for lane in sorted(situation.lanes, key=rank)]
    place = order.index(job_id)
    picked = begun(situation, decision)
    before = [usage for name, usage in picked if order.index(name) < place]
    after = [usage for name, usage in picked if order.index(name) > place]
    return before, after


@settings(max_examples=400, deadline=None)
@given(situations())
def test_whatever_starts_behind_it_a_wide_job_starts_no_later(situation: Situation) -> None:
    decision = decided(situation)
    assert len(decision.reservations) <= 1
    for kept in decision.reservations:
        before, after = split(situation, decision, kept.job_id)
        first = [*situation.held, *before]
        # what began in this pass is counted from its claim: a little sooner than it surely ends
        known = [(one, None if ends is None else ends - HAND_OVER) for one, ends in before]
        promised = latest_start(situation.capacity, [*situation.held, *known], kept.needs)
        if promised is None:
            now = free(situation.capacity, [*first, *after])
            assert now[0] >= kept.kept.cpus
            assert now[1] >= kept.kept.gpus
        else:
            ends = latest_start(situation.capacity, [*situation.held, *known, *after], kept.needs)
            assert ends is not None
            assert ends <= promised


@settings(max_examples=200, deadline=None)
@given(situations())
def test_nothing_is_ever_taken_twice(situation: Situation) -> None:
    decision = decided(situation)
    assert within(situation.capacity, [*situation.held, *(usage for _, usage in begun(situation, decision))])


@settings(max_examples=200, deadline=None)
@given(situations())
def test_who_surely_gives_it_back_in_time_does_not_wait_for_what_is_kept(situation: Situation) -> None:
    decision = decided(situation)
    for kept in decision.reservations:
        before, after = split(situation, decision, kept.job_id)
        known = [(one, None if ends is None else ends - HAND_OVER) for one, ends in before]
        promised = latest_start(situation.capacity, [*situation.held, *known], kept.needs)
        left = free(situation.capacity, [*situation.held, *before, *after])
        for lane in situation.lanes:
            length = lane.head.max_runtime
            if (
                lane.lane_id not in decision.waiting
                or lane.head.job_id == kept.job_id
                or rank(lane) < rank_of(situation, kept.job_id)
            ):
                continue
            fits = lane.resources.cpus <= left[0] and lane.resources.gpus <= left[1]
            in_time = (
                promised is not None and length is not None and situation.grace is not None
                and HAND_OVER + length + situation.grace <= promised
            )  # fmt: skip
            assert not (fits and in_time)


def rank_of(situation: Situation, job_id: str) -> tuple[int, datetime]:
    return next(rank(lane) for lane in situation.lanes if lane.head.job_id == job_id)
