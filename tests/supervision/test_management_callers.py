"""Who asks a supervisor: cancelled callers, children that manage their own supervisor, pools, and maxima."""

import pytest
import trio
import trio.testing

from supervision import (
    Backoff,
    ChildSpec,
    SpecError,
    SupervisionError,
    Supervisor,
    TooManyChildren,
    open_supervisor,
)
from supervision.testing import Act, recorded

SLOW_RETRY = Backoff(initial=1000, maximum=1000, jitter=False)


async def test_a_start_child_during_the_first_start_waits_for_its_end(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("a", Act(start=5))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        await supervisor.start_child(stage.spec("b"))
        assert trio.current_time() == 5
        assert stage.order() == "a b"
        nursery.cancel_scope.cancel()


async def test_requests_are_served_between_immediate_retries(stage, states, autojump_clock):
    children = [stage.spec("x", Act(lives=1), Act(instead="raise"))]
    async with open_supervisor(children, strategy="rest_for_one", max_restarts=10**9) as supervisor:
        await trio.sleep(1)
        await supervisor.start_child(stage.spec("b"))
        await supervisor.stop_child("x")
        await trio.testing.wait_all_tasks_blocked()
        assert states(supervisor) == {"x": "stopped", "b": "running"}


async def test_a_caller_cancelled_in_start_child_takes_the_child_back(stage, states, autojump_clock):
    """It leaves when the child is gone."""
    async with open_supervisor(stage.specs("a")) as supervisor:
        with trio.move_on_after(2):
            await supervisor.start_child(stage.spec("x", Act(start=3600, cleanup=3)))
        assert trio.current_time() == 5
        assert states(supervisor) == {"a": "running"}
        assert stage.happened("end") == ["x"]


async def test_a_caller_cancelled_while_its_start_child_waits_for_its_turn_leaves_nothing(
    stage, states, autojump_clock
):
    supervisor = Supervisor([stage.spec("a", Act(start=10))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        with trio.move_on_after(2):
            await supervisor.start_child(stage.spec("x"))
        await trio.sleep(20)
        assert states(supervisor) == {"a": "running"}
        nursery.cancel_scope.cancel()


async def test_a_caller_cancelled_in_restart_child_leaves_it_stopped(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(), Act(start=3600))]) as supervisor:
        await supervisor.stop_child("x")
        with trio.move_on_after(2):
            await supervisor.restart_child("x")
        assert states(supervisor) == {"x": "stopped"}


async def test_a_caller_that_is_cancelled_already_starts_nothing(stage, states, autojump_clock):
    async with open_supervisor() as supervisor:
        with trio.move_on_after(0):
            await supervisor.start_child(stage.spec("x"))
        assert states(supervisor) == {}


async def test_a_child_may_stop_itself(stage, states, autojump_clock):
    async def child(*, task_status):
        task_status.started()
        await trio.sleep(1)
        await supervisor.stop_child("x")

    async with open_supervisor([ChildSpec("x", child)]) as supervisor:
        await trio.sleep(2)
        assert states(supervisor) == {"x": "stopped"}


@pytest.mark.parametrize("method", ["start_child", "stop_child", "restart_child", "delete_child"])
@pytest.mark.parametrize("depth", [0, 1])
async def test_a_child_that_manages_its_own_supervisor_before_it_is_ready_is_refused(
    stage, autojump_clock, method, depth
):
    """Each would wait for the other."""
    refused = []

    async def child(*, task_status):
        try:
            await getattr(outer, method)(stage.spec("new") if method == "start_child" else "a")
        except SupervisionError as error:
            refused.append(str(error))
        task_status.started()
        await trio.sleep_forever()

    spec = ChildSpec("x", child) if depth == 0 else ChildSpec("x", Supervisor([ChildSpec("deep", child)]).run)
    outer = Supervisor([stage.spec("a"), spec])
    async with trio.open_nursery() as nursery:
        await nursery.start(outer.run)
        nursery.cancel_scope.cancel()
    assert refused == ["child 'x' manages supervisor 'supervisor' before it is ready itself"]


async def test_max_children_counts_restarting_ones(stage, autojump_clock):
    children = [stage.spec("x", Act(lives=1), backoff=SLOW_RETRY), stage.spec("b")]
    async with open_supervisor(children, max_children=3) as pool:
        await pool.start_child(stage.spec("c"))
        await trio.sleep(2)
        with pytest.raises(TooManyChildren):
            await pool.start_child(stage.spec("d"))
        await pool.stop_child("x")
        await pool.start_child(stage.spec("d"))


async def test_max_children_counts_those_that_are_starting(stage, autojump_clock):
    async with open_supervisor(max_children=1) as pool, trio.open_nursery() as nursery:
        nursery.start_soon(pool.start_child, stage.spec("slow", Act(start=5)))
        await trio.sleep(1)
        with pytest.raises(TooManyChildren):
            await pool.start_child(stage.spec("b"))


async def test_in_a_pool_each_child_has_its_own_spec_and_starts_do_not_wait_for_each_other(stage, autojump_clock):
    async with open_supervisor() as pool:
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(pool.start_child, stage.spec(f"job {number}", Act(start=10)))
        assert trio.current_time() == 10


async def test_start_child_checks_the_spec_before_anything_runs(stage, autojump_clock):
    async with open_supervisor() as supervisor:
        with pytest.raises(SpecError):
            await supervisor.start_child("not a spec")


async def test_a_stop_by_hand_of_a_child_that_a_group_restart_is_stopping_keeps_it_down(stage, states, autojump_clock):
    children = [stage.spec("a", Act(lives=1), Act()), stage.spec("b", Act(cleanup=3)), stage.spec("c", Act(cleanup=3))]
    async with open_supervisor(children, strategy="one_for_all") as supervisor:
        await trio.sleep(2)
        await supervisor.stop_child("b")
        await trio.sleep(20)
        assert states(supervisor) == {"a": "running", "b": "stopped", "c": "running"}
        assert stage.order() == "a b c -a -c -b a c"


async def test_the_reports_of_a_request_carry_its_callers_correlation_id(stage, autojump_clock):
    from logconf import set_correlation_id

    async with open_supervisor() as supervisor:
        with recorded(supervisor) as reports:
            set_correlation_id("request-1")
            await supervisor.start_child(stage.spec("x"))
            set_correlation_id("request-2")
            await supervisor.stop_child("x")
    assert [(r.kind, r.correlation_id) for r in reports] == [
        ("start", "request-1"),
        ("ready", "request-1"),
        ("stopping", "request-2"),
        ("stopped", "request-2"),
    ]
