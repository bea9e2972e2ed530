"""Intensity: exactly `max_restarts` in `period`, exact to the clock, the edge inclusive; what spends it; giving up."""

import pytest
import trio

from supervision import ChildSpec, RestartIntensityReached, Supervisor, open_supervisor
from supervision.restart_window import RestartWindow
from supervision.testing import Act, recorded

DIES_AT_ONCE = Act(lives=0)


def test_a_unit_counts_while_it_is_at_most_period_old():
    window = RestartWindow(2, 5.0)
    assert [window.spend(at, "a", "failed") for at in (0.0, 1.0)] == [1, 2]
    assert window.full(5.0)
    assert not window.full(5.0001)
    assert window.used(6.0) == 1
    assert window.used(6.0001) == 0


def test_no_restart_is_allowed_by_a_budget_of_none():
    assert RestartWindow(0, 5.0).full(0.0)


def test_what_a_parked_child_spent_is_given_back():
    window = RestartWindow(3, 5.0)
    for child in ("a", "b", "a"):
        window.spend(0.0, child, "failed")
    window.forget("a")
    assert [spent.child for spent in window.history()] == ["b"]


@pytest.mark.parametrize("budget", [0, 1, 3])
async def test_exactly_max_restarts_are_allowed_and_the_next_gives_up(stage, autojump_clock, budget):
    with pytest.raises(RestartIntensityReached):
        async with open_supervisor([stage.spec("x", DIES_AT_ONCE)], max_restarts=budget):
            await trio.sleep_forever()
    assert stage.scripts["x"].entries == budget + 1


async def test_the_default_is_three_in_five_seconds(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached):
        async with open_supervisor([stage.spec("x", Act(lives=1.25))]):
            await trio.sleep_forever()
    assert stage.scripts["x"].entries == 4


@pytest.mark.parametrize(("lives", "gives_up"), [(2.5, True), (2.5001, False)])
async def test_the_edge_of_the_window_is_inside_it(stage, autojump_clock, lives, gives_up):
    """Failures 5.0 s apart are two in 5 s (OTP truncates to seconds; here the clock is exact)."""
    outcome = "alive"
    try:
        with trio.move_on_after(100):
            async with open_supervisor([stage.spec("x", Act(lives=lives))], max_restarts=2):
                await trio.sleep_forever()
    except RestartIntensityReached:
        outcome = "gave up"
    assert (outcome == "gave up") is gives_up


async def test_the_budget_is_shared_by_the_children(stage, autojump_clock):
    children = [stage.spec("a", Act(lives=1), Act()), stage.spec("b", Act(lives=2), Act())]
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor(children, max_restarts=1):
            await trio.sleep_forever()
    assert caught.value.child == "b"


async def test_what_is_done_by_hand_spends_nothing(stage, autojump_clock):
    async with open_supervisor(stage.specs("a"), max_restarts=0) as supervisor:
        for _ in range(5):
            await supervisor.stop_child("a")
            await supervisor.restart_child("a")
        for number in range(5):
            await supervisor.start_child(stage.spec(f"guest {number}"))


async def test_a_failed_start_of_a_restart_spends_too(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor([stage.spec("x", Act(lives=1), Act(instead="raise"))], max_restarts=2):
            await trio.sleep_forever()
    assert stage.scripts["x"].entries == 3
    assert [spent.reason for spent in caught.value.history] == ["failed", "failed to start"]


async def test_giving_up_stops_the_rest_in_reverse_and_names_child_cause_and_history(stage, autojump_clock):
    boom = ValueError("boom")
    children = [stage.spec("a"), stage.spec("x", Act(lives=1, error=boom)), stage.spec("z")]
    supervisor = Supervisor(children, max_restarts=2)
    with recorded(supervisor) as reports, pytest.raises(RestartIntensityReached) as caught:
        await supervisor.run()
    assert caught.value.child == "x"
    assert caught.value.__cause__ is boom
    assert [(spent.child, spent.at) for spent in caught.value.history] == [("x", 1.0), ("x", 2.0)]
    assert stage.happened("end")[-2:] == ["z", "a"]
    given_up = next(r for r in reports if r.kind == "give_up")
    assert (given_up.child, given_up.cause, given_up.budget_used) == ("x", boom, 2)


async def test_a_permanent_child_that_returns_spends_the_budget(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor([stage.spec("x", Act(lives=1, ends="return"))], max_restarts=1):
            await trio.sleep_forever()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_an_inner_supervisor_that_gives_up_has_failed_and_is_restarted(stage, autojump_clock, restart):
    """Ours: OTP leaves a transient one down in silence."""
    inner = Supervisor([stage.spec("x", Act(lives=1), Act(lives=1), Act())], max_restarts=1)
    async with open_supervisor([ChildSpec("inner", inner.run, restart=restart)]) as outer:
        await trio.sleep(5)
        assert [(child.id, child.state, child.restarts) for child in outer.children()] == [("inner", "running", 1)]
        assert isinstance(outer.children()[0].last_exit.cause, RestartIntensityReached)


async def test_escalation_goes_up_level_by_level(stage, autojump_clock):
    inner = Supervisor([stage.spec("x", DIES_AT_ONCE)], max_restarts=1)
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor([ChildSpec("inner", inner.run)], max_restarts=2):
            await trio.sleep_forever()
    assert caught.value.child == "inner"
    assert caught.value.__cause__.child == "x"
    assert stage.scripts["x"].entries == 6


async def test_a_snapshot_tells_the_restarts_in_the_window(autojump_clock: trio.testing.MockClock) -> None:
    """Charged to the child that failed, and forgotten with the window."""
    failing = True

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        if failing:
            raise ValueError("not yet")
        await trio.sleep_forever()

    async with open_supervisor([ChildSpec("a", run)], max_restarts=3, period=5.0) as supervisor:
        await trio.sleep(2.5)
        failing = False
        (info,) = supervisor.children()
        assert (info.restarts, info.recent_restarts) == (2, 2)
        await trio.sleep(60)
        (info,) = supervisor.children()
        assert (info.restarts, info.recent_restarts) == (info.restarts, 0)


@pytest.mark.parametrize(("first", "period"), [(1.0, 5.0), (3.3, 5.0), (0.1, 0.2), (0.7, 0.1)])
async def test_the_edge_of_the_window_is_inside_it_however_the_times_round(stage, autojump_clock, first, period):
    """A child that lives for just the period after its restart: `now - at` may round to more than that."""
    with pytest.raises(RestartIntensityReached):
        async with open_supervisor(
            [stage.spec("x", Act(lives=first), Act(lives=period), Act())], max_restarts=1, period=period
        ):
            await trio.sleep_forever()
