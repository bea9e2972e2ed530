"""Waiting jobs, by playing the scheduler forward: as it would decide, never sooner than it could."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs import forecast
from actors.jobs.bounds import ProviderState
from actors.jobs.estimates import Span
from actors.jobs.forecast import Forecast, Occupied, end_by_median, forecasts, run_time_of
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Decision, Head, Lane, NextHead, Pick, Running, decide

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
USERS = ["ana", "bo", "cy"]


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def forecast_of(
    waiting: dict[str, list[float | None]], ends: list[tuple[str, float | None]], limits: Limits, gpus: int = 0
) -> dict[str, Forecast]:
    """``waiting``: by user the run times of that user's jobs, in their order; ``ends``: who runs, and for how long."""
    heads = {user: [Head(f"{user}{n}", at(n - 100), n) for n in range(len(times))] for user, times in waiting.items()}
    needs = Resources(1, gpus)
    lanes = [
        Lane(number, user, None, None, "local", needs, 0, None, len(found), found[0])
        for number, (user, found) in enumerate(heads.items())
        if found
    ]
    occupied = [
        Occupied(Running(user, None, None, "local", needs), None if end is None else Span(at(end), at(end)))
        for user, end in ends
    ]

    def decide_at(some: Sequence[Lane], running: Sequence[Running], now: datetime, next_head: NextHead) -> Decision:
        return decide(some, running, limits, {"local": ProviderState(Capacity(gpus=2))}, now, next_head)

    def next_head(lane: Lane) -> Head | None:
        found = heads[lane.user_id]
        place = found.index(lane.head) + 1
        return found[place] if place < len(found) else None

    def run_time(pick: Pick) -> float | None:
        return waiting[pick.lane.user_id][heads[pick.lane.user_id].index(pick.head)]

    return forecasts(lanes, occupied, NOW, decide_at, next_head, run_time)


def span(start: float, end: float | None = None) -> Span:
    return Span(at(start), at(start if end is None else end))


def test_one_after_the_other_behind_what_runs() -> None:
    found = forecast_of({"ana": [10, 20, None, 5]}, [("ana", 100)], Limits(total=1, per_user=1))
    assert found == {
        "ana0": Forecast(span(100), span(110)),
        "ana1": Forecast(span(110), span(130)),
        "ana2": Forecast(span(130), None),  # nobody knows how long it runs, so nothing is said of what follows
    }


def test_what_nobody_knows_the_end_of_keeps_its_place() -> None:
    assert forecast_of({"ana": [10]}, [("bo", None)], Limits(total=1)) == {}
    assert forecast_of({"ana": [10]}, [("bo", None), ("bo", 7)], Limits(total=2)) == {
        "ana0": Forecast(span(7), span(17))
    }


def test_the_limits_of_users_and_the_room_of_a_provider_hold() -> None:
    found = forecast_of({"ana": [10, 10], "bo": [10]}, [], Limits(total=5, per_user=1), gpus=1)
    assert {job_id: one.starts for job_id, one in found.items()} == {"ana0": span(0), "bo0": span(0), "ana1": span(10)}
    found = forecast_of({"ana": [10], "bo": [10]}, [("cy", 30)], Limits(total=5), gpus=2)
    assert {job_id: one.starts for job_id, one in found.items()} == {"ana0": span(30), "bo0": span(40)}


def test_uncertain_ends_make_a_span() -> None:
    lane = Lane(1, "ana", None, None, "local", Resources(), 0, None, 1, Head("a", NOW, 1))
    occupied = [Occupied(Running("bo", None, None, "local", Resources()), Span(at(50), at(80)))]

    def decide_at(some: Sequence[Lane], running: Sequence[Running], now: datetime, next_head: NextHead) -> Decision:
        return decide(some, running, Limits(total=1), {"local": ProviderState(Capacity())}, now, next_head)

    found = forecasts([lane], occupied, NOW, decide_at, lambda _lane: None, lambda _pick: 10.0)
    assert found == {"a": Forecast(span(50, 80), span(60, 90))}


def test_a_wide_job_is_passed_for_ten_minutes_and_then_gets_what_ends() -> None:
    """Small jobs of 500 s, one after the other on each of two GPUs, would pass it for ever."""
    small = [Head(f"s{n}", at(n - 50), n) for n in range(10)]
    one, two = Resources(1, 1), Resources(1, 2)
    lanes = [
        Lane(1, "ana", None, None, "local", two, 40, None, 1, Head("wide", at(-100), 100)),
        Lane(2, "bo", None, None, "local", one, 0, None, 10, small[0]),
    ]
    occupied = [Occupied(Running("bo", None, None, "local", one), span(100))]

    def decide_at(some: Sequence[Lane], running: Sequence[Running], now: datetime, next_head: NextHead) -> Decision:
        wide = Limits(total=9, per_user=9)
        return decide(some, running, wide, {"local": ProviderState(Capacity(gpus=2))}, now, next_head)

    def next_head(lane: Lane) -> Head | None:
        return small[small.index(lane.head) + 1] if lane.lane_id == 2 and lane.head != small[-1] else None

    found = forecasts(lanes, occupied, NOW, decide_at, next_head, lambda _pick: 500.0)
    assert [found[f"s{n}"].starts for n in range(4)] == [span(0), span(100), span(500), span(600)]
    assert found["wide"].starts == span(1_100)
    assert found["s4"].starts == span(1_600)


def test_a_play_has_an_end() -> None:
    found = forecast_of({"ana": [1.0] * 2_000}, [], Limits(total=1, per_user=1))
    assert len(found) == 200


@pytest.mark.parametrize(
    ("median", "ran", "expected"), [(None, 5, None), (60, 20, span(40)), (60, 60, span(0)), (60, 90, span(0, 30))]
)
def test_a_job_without_progress_ends_by_the_median_of_its_name(
    median: float | None, ran: float, expected: Span | None
) -> None:
    assert end_by_median(at(-ran), NOW, median) == expected
    assert run_time_of(60.0, 30.0) == 30.0


TIMES = st.one_of(st.none(), st.integers(1, 50).map(float))


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(USERS), st.lists(TIMES, max_size=5)),
    st.lists(st.tuples(st.sampled_from(USERS), TIMES), max_size=4),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_never_sooner_than_possible_and_never_above_a_limit(
    waiting: dict[str, list[float | None]], ends: list[tuple[str, float | None]], total: int, per_user: int
) -> None:
    """At each moment at which something starts, what runs by the forecasts is within the limits."""
    found = forecast_of(waiting, ends, Limits(total=max(total, len(ends)), per_user=per_user))
    held = [(user, NOW, None if end is None else at(end)) for user, end in ends]
    for job_id, one in found.items():
        user, run = job_id[:-1], waiting[job_id[:-1]][int(job_id[-1])]
        assert one.starts.earliest == one.starts.latest >= NOW
        assert (one.ends is None) == (run is None)
        assert one.ends is None or one.ends.earliest == one.starts.earliest + timedelta(seconds=run or 0)
        held.append((user, one.starts.earliest, None if one.ends is None else one.ends.earliest))
    for _, start, _ in held[len(ends) :]:
        there = Counter(user for user, begin, end in held if begin <= start and (end is None or end > start))
        assert sum(there.values()) <= max(total, len(ends))
        mine = {user for user, begin, _ in held[len(ends) :] if begin == start}
        assert all(there[user] <= per_user for user in mine)
    for user, times in waiting.items():  # inside a lane nobody is passed
        starts = [found[f"{user}{n}"].starts.earliest for n in range(len(times)) if f"{user}{n}" in found]
        assert starts == sorted(starts)


def test_with_many_lanes_a_play_ends_sooner() -> None:
    """One job starts at a time, and fifty lanes are looked at for each: after 8,000 looks that are 160 jobs."""
    found = forecast_of({f"user-{n}": [1.0] * 5 for n in range(50)}, [], Limits(total=1))
    assert len(found) == 160


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_play_ends_after_so_many_looks_at_lanes(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the one lane starts one job."""
    monkeypatch.setattr(forecast, "MOST_LOOKS", looks)
    assert len(forecast_of({"ana": [1.0] * 5}, [], Limits(total=1, per_user=1))) == looks
