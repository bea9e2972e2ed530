"""The decision where resources are short: who is passed over, and for whom they are kept."""

from __future__ import annotations

import pytest

from actors.jobs.bounds import ProviderState
from actors.jobs.options import Limits
from actors.jobs.records import Capacity, Resources
from actors.jobs.reservations import Holder, ReservePolicy
from actors.jobs.scheduling import Head, Lane, decide
from tests.jobs.lanes import NOW, ago, decided, lane, lane_id, names, runs

# Capacity.

TWO_GPUS = {"local": ProviderState(Capacity(cpus=8, gpus=2, memory=64 * 2**30))}


def test_an_entry_that_does_not_fit_is_passed_over_with_its_reason() -> None:
    decision = decided(
        lane("big", needs=Resources(gpus=2), base=40),
        lane("small", needs=Resources(gpus=1)),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers=TWO_GPUS,
    )
    wait = decision.waiting[lane_id("big")]
    assert names(decision) == ["small"]
    assert (wait.reason, wait.setting) == ("waiting for 2 GPUs, 1 free", "providers.local.gpus")
    assert decision.short_of_resources == {lane_id("big")}


def test_what_is_free_is_counted_after_the_jobs_that_were_picked_before() -> None:
    """Two jobs of equal needs, and between them one that takes a GPU."""
    decision = decided(
        lane("first", needs=Resources(gpus=4), base=40),
        lane("small", needs=Resources(gpus=1), base=30),
        lane("second", user="bo", needs=Resources(gpus=4), base=20),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers={"local": ProviderState(Capacity(gpus=4))},
    )
    assert names(decision) == ["small"]
    assert decision.waiting[lane_id("first")].reason == "waiting for 4 GPUs, 3 free"
    assert decision.waiting[lane_id("second")].reason == "waiting for 4 GPUs, 2 free"


def test_what_is_kept_is_not_free_for_a_job_of_the_same_needs() -> None:
    decision = decided(
        lane("first", needs=Resources(gpus=2), base=40, blocked=11),
        lane("second", user="bo", needs=Resources(gpus=2), base=20),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers=TWO_GPUS,
    )
    assert decision.waiting[lane_id("first")].reason == "waiting for 2 GPUs, 1 free"
    expected = "waiting for 2 GPUs, 0 free (some are kept for a job that comes first)"
    assert [(one.job_id, one.in_words("big")) for one in decision.reservations] == [
        ("first", "keeping 1 of 2 GPUs free for big")
    ]
    assert decision.waiting[lane_id("second")].reason == expected


def test_what_is_kept_of_the_memory_is_told_in_its_units() -> None:
    """And only of what is short: all 8 CPUs are there."""
    needs = Resources(cpus=8, gpus=2, memory=48 * 2**30)
    busy = runs("bo", needs=Resources(cpus=0, gpus=1, memory=2**35))
    decision = decided(lane("big", needs=needs, blocked=11), running=(busy,), providers=TWO_GPUS)
    (kept,) = decision.reservations
    assert kept.in_words("big") == "keeping 1 of 2 GPUs and 32 GiB of 64 GiB of memory free for big"


def test_a_job_that_was_picked_before_it_says_when_a_wide_job_can_start() -> None:
    """Until then a short job may use what is kept."""
    one, all_ = Resources(gpus=1), Resources(gpus=2)
    lanes = [
        Lane(1, "ana", None, None, "local", one, 40, None, 1, Head("long", ago(3), 1, max_runtime=3600)),
        Lane(2, "bo", None, None, "local", all_, 30, None, 1, Head("wide", ago(20), 2), ago(11)),
        Lane(3, "cy", None, None, "local", one, 0, None, 1, Head("short", ago(1), 3, max_runtime=60)),
    ]
    wide = Limits(total=100, per_user=100)
    policy = ReservePolicy(600, {"local": 10})
    decision = decide(lanes, (), wide, TWO_GPUS, NOW, lambda _lane: None, policy=policy)
    assert names(decision) == ["long", "short"]


@pytest.mark.parametrize(("override", "expected"), [(29, ["small"]), (30, [])])
def test_an_override_of_thirty_keeps_resources_without_waiting_first(override: int, expected: list[str]) -> None:
    decision = decided(
        lane("big", needs=Resources(gpus=2), override=override),
        lane("small", needs=Resources(gpus=1), base=0),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers=TWO_GPUS,
    )
    assert names(decision) == expected


@pytest.mark.parametrize(("max_runtime", "expected"), [(530, ["short"]), (531, [])])
def test_a_short_job_may_use_what_is_kept_if_it_ends_in_time_with_a_minute_for_its_hand_over(
    max_runtime: float, expected: list[str]
) -> None:
    """The wide job can start in 600 s; 60 s for the hand-over and 10 s of grace are left for what is not the job's."""
    one, all_ = Resources(gpus=1), Resources(gpus=2)
    lanes = [
        Lane(1, "bo", None, None, "local", all_, 30, None, 1, Head("wide", ago(20), 2), ago(11)),
        Lane(2, "cy", None, None, "local", one, 0, None, 1, Head("short", ago(1), 3, max_runtime=max_runtime)),
    ]
    decision = decide(
        lanes, [runs("ana", needs=one)], Limits(total=100, per_user=100), TWO_GPUS, NOW, lambda _lane: None,
        policy=ReservePolicy(600, {"local": 10}), holders=lambda _provider: [Holder(one, ago(-10))],
    )  # fmt: skip
    assert names(decision) == expected


def test_everything_that_is_short_is_named() -> None:
    needs = Resources(cpus=8, gpus=1, memory=48 * 2**30)
    busy = runs("bo", needs=Resources(cpus=1, gpus=2, memory=2**35))
    wait = decided(lane("big", needs=needs), running=(busy,), providers=TWO_GPUS).waiting[lane_id("big")]
    assert wait.reason == "waiting for 8 CPUs, 7 free; 1 GPU, 0 free; 48 GiB of memory, 32 GiB free"


@pytest.mark.parametrize(("blocked", "expected"), [(10, ["small"]), (10.01, [])])
def test_after_more_than_ten_minutes_resources_are_kept_for_who_waits_for_them(
    blocked: float, expected: list[str]
) -> None:
    decision = decided(
        lane("big", needs=Resources(gpus=2), base=40, blocked=blocked),
        lane("small", needs=Resources(gpus=1)),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers=TWO_GPUS,
    )
    assert names(decision) == expected


def test_whom_resources_are_kept_from_is_told_so() -> None:
    decision = decided(
        lane("big", needs=Resources(gpus=2), base=40, blocked=11),
        lane("small", needs=Resources(gpus=1)),
        running=(runs("bo", needs=Resources(gpus=1)),),
        providers=TWO_GPUS,
    )
    expected = "waiting for 1 GPU, 0 free (some are kept for a job that comes first)"
    assert decision.waiting[lane_id("small")].reason == expected


def test_resources_are_kept_from_lower_ranks_and_from_the_same_provider_only() -> None:
    providers = {**TWO_GPUS, "ray": ProviderState(Capacity(gpus=1))}
    decision = decided(
        lane("above", needs=Resources(gpus=1), base=40),
        lane("big", needs=Resources(gpus=2), base=30, blocked=11),
        lane("elsewhere", needs=Resources(gpus=1), provider="ray", base=0),
        lane("below", needs=Resources(gpus=1), base=0),
        lane("without-gpu", needs=Resources(cpus=1), base=0),
        providers=providers,
    )
    assert sorted(names(decision)) == ["above", "elsewhere", "without-gpu"]


def test_nothing_is_kept_for_the_entry_behind_one_that_waited_and_is_picked() -> None:
    """The ten minutes are the head's own: who comes after it has not waited for resources yet."""
    decision = decided(
        lane("waited", needs=Resources(gpus=2), base=40, count=2, blocked=90),
        lane("small", needs=Resources(gpus=1)),
        providers={"local": ProviderState(Capacity(gpus=3))},
        behind={"waited": Head("behind", ago(0), 9)},
    )
    assert names(decision) == ["waited", "small"]
    assert decision.short_of_resources == {lane_id("waited")}


def test_nothing_is_kept_for_what_can_never_run_there() -> None:
    """Capacity shrank since it was submitted: kept GPUs would stand idle for ever."""
    decision = decided(
        lane("huge", needs=Resources(gpus=4), base=40, blocked=600),
        lane("small", needs=Resources(gpus=2)),
        providers=TWO_GPUS,
    )
    assert names(decision) == ["small"]
    assert decision.waiting[lane_id("huge")].reason == "provider local has 2 GPUs in all, the job needs 4 GPUs"


def test_another_limit_in_between_does_not_begin_the_waiting_for_resources_anew() -> None:
    """Passed over for 9 minutes, then stopped by its user's limit: what it needs is still not there."""
    busy = (runs(count=2, needs=Resources(gpus=1)),)
    big = lane("big", needs=Resources(gpus=2), blocked=9)
    decision = decided(big, running=busy, limits=Limits(), providers=TWO_GPUS)
    assert decision.waiting[lane_id("big")].kind == "user"
    assert decision.short_of_resources == {lane_id("big")}


def test_waiting_for_resources_ends_when_they_are_there() -> None:
    big = lane("big", needs=Resources(gpus=2), blocked=9)
    decision = decided(big, running=(runs(count=2),), limits=Limits(), providers=TWO_GPUS)
    assert decision.short_of_resources == frozenset()


def test_more_running_than_there_is_leaves_nothing_rather_than_less_than_nothing() -> None:
    """A machine came back with fewer GPUs; a job without a GPU still fits."""
    busy = (runs("bo", needs=Resources(cpus=1, gpus=1), count=4),)
    decision = decided(lane("cpu"), lane("gpu", needs=Resources(gpus=1)), running=busy, providers=TWO_GPUS)
    assert names(decision) == ["cpu"]
    assert decision.waiting[lane_id("gpu")].reason == "waiting for 1 GPU, 0 free"
