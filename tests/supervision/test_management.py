"""Management: start, stop, restart, delete, look; with refusals and snapshots that never wait."""

import pytest
import trio
import trio.testing

from supervision import (
    AlreadyPresent,
    AlreadyRunning,
    Backoff,
    ChildInfo,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildStartError,
    Count,
    SpecError,
    SupervisionError,
    Supervisor,
    TooManyChildren,
    UnknownChild,
    open_supervisor,
)
from supervision.testing import Act, recorded

SLOW_RETRY = Backoff(initial=1000, maximum=1000, jitter=False)
STRATEGIES = pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])


@STRATEGIES
async def test_start_child_waits_until_it_is_ready_and_tells_its_state(stage, autojump_clock, strategy):
    async with open_supervisor(stage.specs("a"), strategy=strategy) as supervisor:
        info = await supervisor.start_child(stage.spec("b", Act(start=3)))
        assert trio.current_time() == 3
        assert info == ChildInfo("b", "running", incarnation=1, started_at=3.0)
        assert [child.id for child in supervisor.children()] == ["a", "b"]


async def test_start_child_refuses_a_known_id(stage, autojump_clock):
    async with open_supervisor(stage.specs("ab")) as supervisor:
        await supervisor.stop_child("b")
        with pytest.raises(AlreadyRunning):
            await supervisor.start_child(stage.spec("a"))
        with pytest.raises(AlreadyPresent):
            await supervisor.start_child(stage.spec("b"))


@pytest.mark.parametrize("act", [Act(instead="raise"), Act(instead="return"), Act(start=60)])
async def test_a_failed_start_child_discards_its_spec_and_costs_nothing(stage, states, autojump_clock, act):
    async with open_supervisor(stage.specs("a"), max_restarts=0) as supervisor:
        with pytest.raises(ChildStartError) as caught:
            await supervisor.start_child(stage.spec("x", act, start_deadline=9))
        assert caught.value.child == "x"
        assert states(supervisor) == {"a": "running"}


async def test_a_failed_restart_child_leaves_it_stopped(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(), Act(instead="raise"))], max_restarts=0) as supervisor:
        await supervisor.stop_child("x")
        with pytest.raises(ChildStartError):
            await supervisor.restart_child("x")
        assert states(supervisor) == {"x": "stopped"}


@STRATEGIES
async def test_stop_child_waits_until_it_is_gone_and_the_spec_stays(stage, states, autojump_clock, strategy):
    children = [stage.spec("a"), stage.spec("b", Act(cleanup=2)), stage.spec("c")]
    async with open_supervisor(children, strategy=strategy) as supervisor:
        await supervisor.stop_child("b")
        assert trio.current_time() == 2
        assert states(supervisor) == {"a": "running", "b": "stopped", "c": "running"}
        await trio.sleep(100)
        assert stage.order() == "a b c -b"


async def test_stop_child_is_idempotent(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("a", Act(cleanup=2))]) as supervisor:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(supervisor.stop_child, "a")
        await supervisor.stop_child("a")
        assert states(supervisor) == {"a": "stopped"}


async def test_a_temporary_child_that_is_stopped_takes_its_spec_along(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("a", restart="temporary")]) as supervisor:
        await supervisor.stop_child("a")
        assert states(supervisor) == {}


async def test_stop_child_cancels_a_pending_retry(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(lives=1))], backoff=SLOW_RETRY) as supervisor:
        await trio.sleep(2)
        await supervisor.stop_child("x")
        assert states(supervisor) == {"x": "stopped"}
        await trio.sleep(5000)
        assert stage.scripts["x"].entries == 1


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_cancelling_a_pending_retry_starts_all_the_others_that_were_due(stage, states, autojump_clock, strategy):
    children = [stage.spec("a"), stage.spec("x", Act(lives=1)), stage.spec("c"), stage.spec("d")]
    async with open_supervisor(children, strategy=strategy, backoff=SLOW_RETRY) as supervisor:
        await trio.sleep(2)
        await supervisor.stop_child("x")
        await trio.testing.wait_all_tasks_blocked()
        assert states(supervisor) == {"a": "running", "x": "stopped", "c": "running", "d": "running"}
        assert trio.current_time() == 2


async def test_stop_child_during_its_start_cancels_the_start(stage, states, autojump_clock):
    async with open_supervisor(stage.specs("a")) as supervisor:
        refused = []

        async def start():
            with pytest.raises(ChildStartError):
                await supervisor.start_child(stage.spec("x", Act(start=3600)))
            refused.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(start)
            await trio.sleep(1)
            await supervisor.stop_child("x")
        assert refused == [1.0]
        assert states(supervisor) == {"a": "running"}


async def test_stop_child_during_a_restart_that_hangs_cancels_it(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", Act(lives=1), Act(start=3600))]) as supervisor:
        await trio.sleep(2)
        await supervisor.stop_child("x")
        assert states(supervisor) == {"x": "stopped"}
        assert trio.current_time() == 2


async def test_stop_child_during_the_first_start_lets_the_others_start(stage, states, autojump_clock):
    supervisor = Supervisor([stage.spec("a"), stage.spec("x", Act(start=3600)), stage.spec("c")])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        await supervisor.stop_child("x")
        await trio.testing.wait_all_tasks_blocked()
        assert states(supervisor) == {"a": "running", "x": "stopped", "c": "running"}
        nursery.cancel_scope.cancel()


async def test_restart_child_only_when_down(stage, states, autojump_clock):
    children = [stage.spec("a"), stage.spec("x", Act(lives=1)), stage.spec("b")]
    async with open_supervisor(children, backoff=SLOW_RETRY) as supervisor:
        await supervisor.stop_child("b")
        assert (await supervisor.restart_child("b")).state == "running"
        await trio.sleep(2)
        with pytest.raises(ChildRunning):
            await supervisor.restart_child("a")
        with pytest.raises(ChildRestarting):
            await supervisor.restart_child("x")


async def test_delete_child_only_when_down(stage, states, autojump_clock):
    children = [stage.spec("a"), stage.spec("x", Act(lives=1)), stage.spec("b")]
    async with open_supervisor(children, backoff=SLOW_RETRY) as supervisor:
        await supervisor.stop_child("b")
        await supervisor.delete_child("b")
        await trio.sleep(2)
        with pytest.raises(ChildRunning):
            await supervisor.delete_child("a")
        with pytest.raises(ChildRestarting):
            await supervisor.delete_child("x")
        assert states(supervisor) == {"a": "running", "x": "restarting"}


async def test_an_unknown_child_is_refused_everywhere(stage, autojump_clock):
    async with open_supervisor() as supervisor:
        for ask in (supervisor.stop_child, supervisor.restart_child, supervisor.delete_child):
            with pytest.raises(UnknownChild, match="nobody"):
                await ask("nobody")


async def test_count(stage, autojump_clock):
    inner = Supervisor(stage.specs("xy"))

    async def wrapped(*, task_status):
        await Supervisor(stage.specs("z")).run(task_status=task_status)

    children = [*stage.specs("ab"), ChildSpec("inner", inner.run), ChildSpec("wrapped", wrapped)]
    async with open_supervisor(children) as supervisor:
        await supervisor.stop_child("a")
        assert supervisor.count() == Count(specs=4, active=3, supervisors=1, workers=3)


async def test_snapshots_and_refusals_are_immediate_whatever_is_going_on(stage, states, autojump_clock):
    """While one child starts for an hour and another is overrun."""
    children = [stage.spec("a"), stage.spec("stubborn", Act(cleanup=3600))]
    async with open_supervisor(children) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.stop_child, "stubborn")
        nursery.start_soon(supervisor.start_child, stage.spec("slow", Act(start=3600)))
        await trio.sleep(10)
        assert states(supervisor) == {"a": "running", "stubborn": "overrun", "slow": "starting"}
        assert supervisor.count() == Count(3, 3, 0, 3)
        for ask, error in [
            (lambda: supervisor.start_child(stage.spec("slow")), AlreadyRunning),
            (lambda: supervisor.restart_child("slow"), ChildRunning),
            (lambda: supervisor.delete_child("stubborn"), ChildRunning),
            (lambda: supervisor.stop_child("nobody"), UnknownChild),
        ]:
            with pytest.raises(error):
                await ask()
        assert trio.current_time() == 10


async def test_snapshots_and_refusals_are_immediate_during_the_first_start(stage, states, autojump_clock):
    supervisor = Supervisor([stage.spec("a"), stage.spec("slow", Act(start=3600))])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        assert states(supervisor) == {"a": "running", "slow": "starting"}
        with pytest.raises(AlreadyRunning):
            await supervisor.start_child(stage.spec("a"))
        with pytest.raises(ChildRunning):
            await supervisor.delete_child("a")
        assert trio.current_time() == 1
        nursery.cancel_scope.cancel()


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
