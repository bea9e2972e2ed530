"""A provider with a queue of its own is limited apart from all others (B10)."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from actors.jobs.bounds import ProviderState
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.scheduling import Decision, Head, Lane, Running, decide, global_limit_reached

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDERS = {"local": ProviderState(Capacity()), "slurm": ProviderState(Capacity(separate_limits=True))}


def lane(number: int, provider: str, user: str = "ana") -> Lane:
    head = Head(f"{provider}-{number}", NOW, number)
    return Lane(number, user, "lab", None, provider, Resources(), 10, None, 1, head)


def runs(provider: str, count: int, user: str = "ana") -> Running:
    return Running(user, "lab", None, provider, Resources(), count)


def decided(limits: Limits, running: list[Running], *lanes: Lane) -> Decision:
    return decide(lanes, running, limits, PROVIDERS, NOW, lambda _lane: None)


def names(decision: Decision) -> list[str]:
    return [pick.head.job_id for pick in decision.picks]


def test_jobs_of_a_cluster_take_no_place_from_others_and_others_none_from_them() -> None:
    limits = Limits(total=5, per_user=2, per_organisation=10)
    assert names(decided(limits, [runs("slurm", 40)], lane(1, "local"), lane(2, "slurm"))) == ["local-1", "slurm-2"]
    full = decided(limits, [runs("local", 5)], lane(1, "local"), lane(2, "slurm"))
    assert names(full) == ["slurm-2"]
    assert full.waiting[1].setting == "limits.total"


def test_a_cluster_takes_a_hundred_jobs_and_fifty_of_one_user_unless_the_limits_say_otherwise() -> None:
    own = decided(Limits(), [runs("slurm", 50)], lane(1, "slurm"), lane(2, "slurm", "bo"))
    assert names(own) == ["slurm-2"]
    assert own.waiting[1].reason == "50 of 50 jobs of user ana at provider slurm are running"
    assert own.waiting[1].setting == "limits.per_provider_per_user"
    all_of = decided(Limits(), [runs("slurm", 50), runs("slurm", 50, "bo")], lane(1, "slurm", "cy"))
    assert all_of.waiting[1].setting == "limits.per_provider.slurm"
    assert names(decided(Limits(per_provider={"slurm": 101}), [runs("slurm", 100, "bo")], lane(1, "slurm"))) == [
        "slurm-1"
    ]


def test_with_count_clusters_all_limits_hold_for_all() -> None:
    limits = Limits(total=5, per_user=9, count_clusters=True)
    decision = decided(limits, [runs("slurm", 5)], lane(1, "local"), lane(2, "slurm"))
    assert names(decision) == []
    assert decision.summary == "Global limit reached (5/5)"
    by_user = attrs.evolve(limits, total=9, per_user=5)
    assert decided(by_user, [runs("slurm", 5)], lane(1, "local")).waiting[1].setting == "limits.per_user"


def test_a_full_global_limit_ends_the_round_only_where_no_provider_is_limited_apart() -> None:
    running = [runs("local", 5)]
    assert global_limit_reached(running, Limits(), [Capacity()]) == "Global limit reached (5/5)"
    assert global_limit_reached(running, Limits(), [Capacity(), Capacity(separate_limits=True)]) is None
    assert decided(Limits(), running, lane(1, "local")).summary == "Global limit reached (5/5)"


def test_how_many_run_is_said_as_it_is_also_where_a_limit_was_lowered_below_it() -> None:
    """Beside a cluster, for which lanes are looked at although the limit is reached."""
    found = decided(Limits(total=5), [runs("local", 7)], lane(1, "local"))
    assert [one.reason for one in found.waiting.values()] == ["Global limit reached (7/5)"]
