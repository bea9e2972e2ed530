"""The decision, situation by situation: who is picked, in which order, and what everybody else is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.jobs.bounds import ProviderState, WaitReason
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Head, Lane, Running, decide, explain, global_limit_reached, nothing_may_run
from tests.jobs.lanes import NOW, OPEN, ago, decided, lane, lane_id, names, runs

# Order.


def test_the_higher_priority_goes_first_then_the_older_then_the_lower_sequence_number() -> None:
    """Effective priority descending, queue time, sequence (B9)."""
    picked = decided(
        lane("young", waited=1),
        lane("second-of-two", waited=5, seq=2),
        lane("first-of-two", waited=5, seq=1),
        lane("admin", base=30, waited=1),
    )
    assert names(picked) == ["admin", "first-of-two", "second-of-two", "young"]


def test_an_override_stands_in_place_of_the_level() -> None:
    assert names(decided(lane("lowered", base=30, override=0), lane("raised", base=0, override=50))) == [
        "raised",
        "lowered",
    ]


def test_waiting_lifts_an_entry_over_a_higher_level_at_the_full_hour_and_not_before() -> None:
    """A viewer's job of 59 min 59 s is still LOW; at 60 min it is NORMAL, and the older of the two."""
    almost = decided(lane("viewer", base=0, waited=59 + 59 / 60), lane("researcher", base=10, waited=1))
    lifted = decided(lane("viewer", base=0, waited=60), lane("researcher", base=10, waited=1))
    assert names(almost) == ["researcher", "viewer"]
    assert names(lifted) == ["viewer", "researcher"]


def test_the_entry_after_a_pick_is_ranked_by_its_own_age() -> None:
    """The lane's old head was lifted by waiting; the young entry behind it was not."""
    behind = {"old": Head("fresh", ago(1), 9)}
    picked = decided(lane("old", base=0, waited=600, count=2), lane("other", base=10, waited=2), behind=behind)
    assert names(picked) == ["old", "other", "fresh"]


def test_the_entry_behind_a_pick_goes_before_another_lanes_younger_head() -> None:
    behind = {"old": Head("second", ago(8), 9)}
    picked = decided(lane("old", waited=9, count=2), lane("young", user="bo", waited=1), behind=behind, at_most=2)
    assert names(picked) == ["old", "second"]


# Limits.


def test_a_capped_users_backlog_hides_nobody() -> None:
    """Two of ana's ten thousand run; bo's one, far behind them, is picked all the same (B10)."""
    picked = decided(
        lane("ana-1", waited=500, count=10_000),
        lane("bo-1", user="bo", waited=1),
        running=(runs(count=2),),
        limits=Limits(),
    )
    assert names(picked) == ["bo-1"]
    assert picked.waiting[lane_id("ana-1")].reason == "2 of 2 jobs of user ana are running"
    assert picked.waiting[lane_id("ana-1")].setting == "limits.per_user"


def test_a_users_full_provider_does_not_hide_the_same_users_job_elsewhere() -> None:
    providers = {"local": ProviderState(Capacity()), "replicate": ProviderState(Capacity(gpus=0))}
    picked = decided(
        lane("far", provider="replicate", needs=Resources(gpus=1), base=40),
        lane("near", base=0),
        providers=providers,
    )
    assert names(picked) == ["near"]


def test_what_is_picked_counts_at_once() -> None:
    behind = {"1": Head("2", ago(9), 2), "2": Head("3", ago(8), 3)}
    picked = decided(lane("1", waited=10, count=3), behind=behind, limits=Limits(per_user=2))
    assert names(picked) == ["1", "2"]
    assert picked.waiting[lane_id("1")].kind == "user"


def test_an_organisations_limit_holds_without_fair_share() -> None:
    limits = Limits(per_organisation=1)
    picked = decided(lane("mine", org="lab"), lane("free"), running=(runs("bo", org="lab"),), limits=limits)
    assert names(picked) == ["free"]
    wait = picked.waiting[lane_id("mine")]
    assert (wait.reason, wait.setting) == (
        "1 of 1 jobs of organisation lab are running",
        "limits.per_organisation",
    )


@pytest.mark.parametrize(("fair_share", "expected"), [(False, ["job"]), (True, [])])
def test_a_teams_limit_holds_with_fair_share_only(fair_share: bool, expected: list[str]) -> None:
    limits = Limits(per_team=0, fair_share=fair_share)
    assert names(decided(lane("job", team="vision"), limits=limits)) == expected


def test_each_job_of_a_team_counts_in_its_limit_and_no_other_teams() -> None:
    running = (Running("ana", None, "vision", "local", Resources(), 1),)
    decision = decided(
        lane("one", user="bo", team="vision", base=30),
        lane("two", user="cy", team="vision", base=20),
        lane("three", user="di", team="sound", base=10),
        running=running,
        limits=Limits(total=9, per_team=2, fair_share=True),
    )
    assert names(decision) == ["one", "three"]
    wait = decision.waiting[lane_id("two")]
    assert (wait.reason, wait.setting) == ("2 of 2 jobs of team vision are running", "limits.per_team")


def test_a_providers_own_limit_names_its_setting() -> None:
    limits = Limits(per_user=9, per_provider={"local": 1})
    wait = decided(lane("job"), running=(runs("bo"),), limits=limits).waiting[lane_id("job")]
    assert (wait.reason, wait.setting) == ("1 of 1 jobs at provider local are running", "limits.per_provider.local")


def test_what_is_left_when_the_global_limit_is_reached_on_the_way_is_told_so() -> None:
    decision = decided(lane("first", waited=2), lane("second"), limits=Limits(total=1))
    assert names(decision) == ["first"]
    assert decision.waiting[lane_id("second")].reason == "Global limit reached (1/1)"


def test_a_full_global_limit_is_answered_without_reading_a_lane() -> None:
    def untouchable() -> Iterator[Lane]:
        pytest.fail("the lanes were read")
        yield lane("never")

    limits = Limits(total=5)
    decision = decide(untouchable(), [runs(count=5)], limits, OPEN, NOW, lambda one: None)
    assert decision == nothing_may_run("Global limit reached (5/5)")
    assert explain(1, decision).setting == "limits.total"
    assert global_limit_reached([runs(count=4)], limits) is None


def test_a_closed_provider_stops_its_own_entries_only() -> None:
    providers = {
        "local": ProviderState(Capacity()),
        "replicate": ProviderState(
            Capacity(), WaitReason("closed", "provider replicate is paused: no such token", "resume")
        ),
    }
    decision = decided(
        lane("far", provider="replicate"), lane("near"), lane("lost", provider="gone"), providers=providers
    )
    assert names(decision) == ["near"]
    assert decision.waiting[lane_id("far")].reason == "provider replicate is paused: no such token"
    assert decision.waiting[lane_id("lost")].reason == "provider gone is not configured"


def test_at_most_bounds_the_picks_and_the_rest_is_told_that_others_come_first() -> None:
    decision = decided(lane("a", waited=3), lane("b", waited=2), lane("c", waited=1), at_most=2)
    assert names(decision) == ["a", "b"]
    assert decision.waiting[lane_id("c")].kind == "turn"


# One sentence.


@pytest.mark.parametrize(
    ("lanes", "limits", "expected"),
    [
        ([], Limits(), "No pending jobs in queue"),
        ([lane("a")], Limits(total=0), "Global limit reached (0/0)"),
        ([lane("a")], Limits(per_user=0), "All pending jobs blocked by per-user concurrency limits"),
        (
            [lane("a", org="lab")],
            Limits(per_organisation=0),
            "All pending jobs blocked by per-organisation concurrency limits",
        ),
        (
            [lane("a", team="vision")],
            Limits(per_team=0, fair_share=True),
            "All pending jobs blocked by per-team concurrency limits",
        ),
        (
            [lane("a")],
            Limits(per_provider={"local": 0}),
            "All pending jobs blocked by per-provider concurrency limits",
        ),
        (
            [lane("a", needs=Resources(gpus=2)), lane("b", needs=Resources(gpus=9))],
            Limits(),
            "All pending jobs blocked by provider capacity",
        ),
        ([lane("a", provider="gone")], Limits(), "All pending jobs blocked by closed providers"),
        (
            [lane("a", org="lab"), lane("b", needs=Resources(gpus=9))],
            Limits(per_organisation=0),
            "All pending jobs blocked by per-organisation concurrency limits and provider capacity",
        ),
        ([lane("a"), lane("b")], Limits(), "Dispatching 2 jobs"),
    ],
)
def test_the_summary_says_all_of_it_in_one_sentence(lanes: list[Lane], limits: Limits, expected: str) -> None:
    busy = {"local": ProviderState(Capacity(gpus=1))}
    assert decided(*lanes, limits=limits, providers=busy).summary == expected


def test_a_picked_entry_is_next_and_the_ones_behind_it_wait_for_their_lanes_reason() -> None:
    decision = decided(lane("1", count=2), behind={"1": Head("2", ago(0), 2)}, limits=Limits(per_user=1))
    assert explain(lane_id("1"), decision, is_picked=True).reason == "is next"
    assert explain(lane_id("1"), decision).reason == "1 of 1 jobs of user ana are running"
