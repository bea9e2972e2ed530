"""Starting: in order, each once the one before it is ready; and what a start that fails comes to."""

import pytest
import trio
import trio.testing

from supervision import ChildSpec, ChildStartError, SupervisionError, Supervisor, open_supervisor
from supervision.testing import Act, recorded

FAILED_STARTS = {
    "raises": Act(instead="raise", error=OSError("no port")),
    "returns": Act(instead="return"),
    "misses its deadline": Act(start=60),
}


async def test_the_next_child_is_entered_once_the_one_before_is_ready(stage, autojump_clock):
    async with open_supervisor([stage.spec("a", Act(start=2)), stage.spec("b", Act(start=1))]):
        assert trio.current_time() == 3
        assert [entry[:2] for entry in stage.journal] == [
            ("enter", "a"),
            ("ready", "a"),
            ("enter", "b"),
            ("ready", "b"),
        ]


async def test_run_is_ready_when_every_child_is(stage, autojump_clock):
    async with trio.open_nursery() as nursery:
        await nursery.start(Supervisor([stage.spec("a", Act(start=2)), stage.spec("b", Act(start=3))]).run)
        assert trio.current_time() == 5
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", FAILED_STARTS)
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_first_start_that_fails_ends_it_all(stage, autojump_clock, how, strategy):
    """Those already up are stopped in reverse, the caller gets the child and the cause, nothing is retried."""
    children = [
        stage.spec("a"),
        stage.spec("b"),
        stage.spec("x", FAILED_STARTS[how], start_deadline=9),
        stage.spec("z"),
    ]
    with pytest.raises(ChildStartError) as caught:
        async with open_supervisor(children, strategy=strategy):
            pytest.fail("the block is not entered")
    assert caught.value.child == "x"
    assert "'x'" in str(caught.value)
    assert stage.happened("end") == ["x", "b", "a"]
    assert stage.scripts["x"].entries == 1
    assert stage.scripts["z"].entries == 0
    cause = {"raises": OSError, "returns": type(None), "misses its deadline": trio.TooSlowError}[how]
    assert isinstance(caught.value.__cause__, cause)


async def test_the_start_error_is_reported_not_trios_sentence_about_started(stage, autojump_clock):
    """A crash before `started()` that a child swallowed would show as "child exited without calling ..."."""
    supervisor = Supervisor([stage.spec("x", Act(instead="return"))])
    with recorded(supervisor) as reports, pytest.raises(ChildStartError, match="returned before it was ready"):
        await supervisor.run()
    assert [(r.kind, r.reason) for r in reports] == [
        ("start", None),
        ("start_failed", "returned before it was ready"),
    ]


async def test_ready_at_the_very_edge_of_the_deadline_is_in_time(stage, autojump_clock):
    async with open_supervisor([stage.spec("a", Act(start=9), start_deadline=9)]):
        assert stage.happened("ready") == ["a"]


async def test_a_half_started_child_has_its_shutdown_limit(stage, states, autojump_clock):
    """Past its start deadline it is cancelled, may clean up for `shutdown` seconds, then it is overrun."""
    supervisor = Supervisor([stage.spec("a", Act(start=60, cleanup=20), start_deadline=10, shutdown=5)])
    with recorded(supervisor) as reports, pytest.raises(ChildStartError):
        await supervisor.run()
    assert [(r.kind, pytest.approx(r.at)) for r in reports] == [
        ("start", 0.0),
        ("overrun", 15.0),
        ("start_failed", 30.0),
    ]


async def test_started_after_the_deadline_has_passed_is_ignored(autojump_clock):
    async def stubborn(*, task_status):
        with trio.CancelScope(shield=True):
            await trio.sleep(20)
        task_status.started()
        await trio.sleep_forever()

    supervisor = Supervisor([ChildSpec("x", stubborn, start_deadline=10, shutdown=100)])
    with recorded(supervisor) as reports, pytest.raises(ChildStartError):
        await supervisor.run()
    assert "ready" not in [r.kind for r in reports]


async def test_saying_started_twice_is_an_error_in_the_child(autojump_clock):
    async def twice(*, task_status):
        task_status.started()
        task_status.started()

    supervisor = Supervisor([ChildSpec("x", twice, restart="temporary")])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert [str(r.cause) for r in reports if r.kind == "exit"] == ["called 'started' twice on the same task status"]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_a_crash_of_a_ready_child_during_the_first_start_waits_for_its_end(stage, autojump_clock, strategy):
    children = [stage.spec("a", Act(lives=1), Act()), stage.spec("b", Act(start=10))]
    async with open_supervisor(children, strategy=strategy):
        assert stage.order() == "a -a b"
        assert trio.current_time() == 10
        await trio.sleep(20)
        assert stage.order() == {"one_for_one": "a -a b a"}.get(strategy, "a -a b -b a b")


async def test_states_before_during_and_after_the_first_start(stage, states, settled, autojump_clock):
    supervisor = Supervisor([stage.spec("a"), stage.spec("b", Act(start=5)), stage.spec("c")])
    assert states(supervisor) == {"a": "stopped", "b": "stopped", "c": "stopped"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        assert states(supervisor) == {"a": "running", "b": "starting", "c": "stopped"}
        await trio.sleep(10)
        assert states(supervisor) == {"a": "running", "b": "running", "c": "running"}
        nursery.cancel_scope.cancel()
    assert states(supervisor) == {"a": "stopped", "b": "stopped", "c": "stopped"}


async def test_a_supervisor_may_be_run_again_afresh(stage, info, autojump_clock):
    supervisor = Supervisor([stage.spec("a", Act(lives=1), Act())])
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await supervisor.start_child(stage.spec("guest"))
            assert info(supervisor, "a").incarnation == 1
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
        stage.scripts["a"].entries = 0


async def test_a_running_supervisor_cannot_be_run_twice(stage, autojump_clock):
    async with open_supervisor(stage.specs("a")) as supervisor:
        with pytest.raises(SupervisionError, match="already running"):
            await supervisor.run()


async def test_a_supervisor_without_children_is_ready_and_takes_some(stage, states, autojump_clock):
    async with open_supervisor() as supervisor:
        await supervisor.start_child(stage.spec("a"))
        assert states(supervisor) == {"a": "running"}
