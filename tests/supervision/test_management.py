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
    Supervisor,
    UnknownChild,
    open_supervisor,
)
from supervision.testing import Act

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
