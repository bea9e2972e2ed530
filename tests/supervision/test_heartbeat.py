"""Heartbeats: a child that says nothing for too long is cancelled and has failed."""

import pytest
import trio

from supervision import ChildHung, ChildSpec, RestartIntensityReached, Supervisor, heartbeat, open_supervisor
from supervision.testing import Act, recorded


async def test_a_child_that_beats_in_time_is_left_alone(stage, autojump_clock):
    """A beat at the very edge of the interval is in time."""
    async with open_supervisor([stage.spec("x", Act(beats=5), heartbeat=5)]):
        await trio.sleep(100)
        assert stage.order() == "x"


async def test_a_missed_beat_is_reported_and_counts_as_a_failure(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("x", Act(beats=1, beats_for=10), Act(beats=1), heartbeat=5)])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(100)
            last = supervisor.children()[0].last_exit
            nursery.cancel_scope.cancel()
    assert [(r.kind, r.incarnation, pytest.approx(r.at)) for r in reports][2:6] == [
        ("hung", 1, 14.0),
        ("exit", 1, 14.0),
        ("restart", 1, 14.0),
        ("start", 2, 14.0),
    ]
    assert (last.reason, type(last.cause), last.cause.child) == ("hung", ChildHung, "x")


async def test_the_first_interval_begins_at_ready(stage, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(start=50, beats=4), heartbeat=5)]):
        await trio.sleep(20)
        assert stage.order() == "x"


async def test_a_child_that_never_beats_is_hung_after_one_interval(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor([stage.spec("x", heartbeat=5)], max_restarts=0):
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ChildHung)
    assert trio.current_time() == pytest.approx(5)


async def test_a_hung_child_has_its_shutdown_limit_and_is_never_doubled(stage, states, autojump_clock):
    children = [stage.spec("x", Act(cleanup=60), Act(), heartbeat=5, shutdown=2), stage.spec("b")]
    async with open_supervisor(children) as supervisor:
        await trio.sleep(6)
        assert states(supervisor)["x"] == "stopping"
        await trio.sleep(2)
        assert states(supervisor) == {"x": "overrun", "b": "running"}
        await trio.sleep(58)
        assert (states(supervisor)["x"], stage.scripts["x"].entries) == ("running", 2)


async def test_what_a_hung_child_raises_while_it_is_cancelled_is_the_cause_of_its_cause(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor([stage.spec("x", Act(when_cancelled="crash"), heartbeat=5)], max_restarts=0):
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ChildHung)
    assert isinstance(caught.value.__cause__.__cause__, ValueError)


async def test_a_hung_child_that_returns_is_a_failure_all_the_same(stage, autojump_clock):
    acts = [Act(when_cancelled="swallow"), Act(beats=1)]
    async with open_supervisor([stage.spec("x", *acts, heartbeat=5, restart="transient")]):
        await trio.sleep(20)
        assert stage.scripts["x"].entries == 2


async def test_a_stop_by_hand_while_it_is_being_cancelled_keeps_it_down(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(cleanup=3), heartbeat=5)]) as supervisor:
        await trio.sleep(6)
        await supervisor.stop_child("x")
        await trio.sleep(50)
        assert states(supervisor) == {"x": "stopped"}


async def test_it_beats_for_the_child_it_is_called_in(autojump_clock):
    """In a task of the child's, and not for the supervisor's other children."""

    async def beat():
        while True:
            await trio.sleep(1)
            heartbeat()

    async def child(*, task_status):
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)

    async def silent(*, task_status):
        task_status.started()
        await trio.sleep_forever()

    children = [ChildSpec("x", child, heartbeat=2), ChildSpec("silent", silent, heartbeat=2, on_give_up="park")]
    async with open_supervisor(children, max_restarts=0) as supervisor:
        await trio.sleep(50)
        assert [child.state for child in supervisor.children()] == ["running", "parked"]


def test_outside_a_child_it_does_nothing():
    """Code that beats can run without a supervisor."""
    heartbeat()


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_beat_that_is_missed_during_the_first_start_is_handled_once_all_are_ready(
    stage, states, autojump_clock, strategy
):
    """Like the crash of a child that was ready already; here one of each."""
    children = [
        stage.spec("crashes", Act(lives=0.5), Act()),
        stage.spec("hangs", Act(), Act(beats=0.5), heartbeat=1),
        stage.spec("slow", Act(start=10)),
    ]
    supervisor = Supervisor(children, strategy=strategy, max_restarts=10)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(30)
            assert set(states(supervisor).values()) == {"running"}
            nursery.cancel_scope.cancel()
    ready = next(r.at for r in reports if (r.child, r.kind) == ("slow", "ready"))
    assert {r.kind for r in reports if r.kind == "restart" and r.at < ready} == set()
    assert "hangs" in {r.child for r in reports if r.kind == "restart"} or strategy != "one_for_one"


async def test_after_a_missed_beat_during_the_first_start_a_restart_may_fail_as_any_other(stage, autojump_clock):
    children = [
        stage.spec("x", Act(), Act(instead="raise"), Act(beats=0.5), heartbeat=1),
        stage.spec("slow", Act(start=10)),
    ]
    async with open_supervisor(children, max_restarts=10):
        await trio.sleep(30)
        assert stage.scripts["x"].entries == 3


async def test_a_significant_child_that_hangs_during_the_first_start_ends_the_supervisor_without_an_error(
    stage, autojump_clock
):
    children = [
        stage.spec("x", heartbeat=1, restart="temporary", significant=True),
        stage.spec("slow", Act(start=10)),
    ]
    async with open_supervisor(children, auto_shutdown="any_significant"):
        await trio.sleep_forever()
    assert trio.current_time() == pytest.approx(10)
