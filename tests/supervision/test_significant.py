"""Significant children: the supervisor shuts itself down when one, or the last, of them has ended."""

import pytest
import trio

from supervision import ChildSpec, Supervisor, open_supervisor
from supervision.testing import Act

ENDS = Act(lives=1, ends="return")
ENDS_LATER = Act(lives=2, ends="return")


async def test_any_significant_shuts_down_with_the_first(stage, autojump_clock):
    children = [
        stage.spec("a"),
        stage.spec("x", ENDS, restart="transient", significant=True),
        stage.spec("y", ENDS_LATER, restart="transient", significant=True),
    ]
    await Supervisor(children, auto_shutdown="any_significant").run()
    assert trio.current_time() == 1
    assert stage.happened("end") == ["x", "y", "a"]


async def test_all_significant_shuts_down_with_the_last(stage, autojump_clock):
    children = [
        stage.spec("a"),
        stage.spec("x", ENDS, restart="transient", significant=True),
        stage.spec("y", Act(lives=2), restart="temporary", significant=True),
    ]
    await Supervisor(children, auto_shutdown="all_significant").run()
    assert trio.current_time() == 2
    assert stage.happened("end") == ["x", "y", "a"]


async def test_an_insignificant_end_means_nothing(stage, autojump_clock):
    children = [stage.spec("x", ENDS, restart="transient"), stage.spec("y", restart="transient", significant=True)]
    with trio.move_on_after(50) as scope:
        await Supervisor(children, auto_shutdown="any_significant").run()
    assert scope.cancelled_caught


@pytest.mark.parametrize("rule", ["any_significant", "all_significant"])
async def test_a_failure_that_is_restarted_is_no_end(stage, autojump_clock, rule):
    children = [stage.spec("x", Act(lives=1), ENDS_LATER, restart="transient", significant=True)]
    await Supervisor(children, auto_shutdown=rule).run()
    assert trio.current_time() == 3


@pytest.mark.parametrize("rule", ["any_significant", "all_significant"])
async def test_to_be_stopped_by_hand_is_no_end(stage, states, autojump_clock, rule):
    children = [stage.spec("x", restart="transient", significant=True), stage.spec("b")]
    async with open_supervisor(children, auto_shutdown=rule) as supervisor:
        await supervisor.stop_child("x")
        await trio.sleep(5)
        assert states(supervisor) == {"x": "stopped", "b": "running"}


async def test_on_auto_shutdown_the_block_is_cancelled_and_nothing_is_raised(stage, autojump_clock):
    reached = []
    async with open_supervisor(
        [stage.spec("x", ENDS, restart="temporary", significant=True)], auto_shutdown="any_significant"
    ):
        try:
            await trio.sleep_forever()
        finally:
            reached.append(trio.current_time())
    assert reached == [1.0]


@pytest.mark.parametrize(("restart", "entries"), [("permanent", 2), ("transient", 1)])
async def test_an_inner_supervisor_that_shut_itself_down_has_returned(stage, autojump_clock, restart, entries):
    x = stage.spec("x", ENDS, Act(), restart="transient", significant=True)
    inner = Supervisor([x], auto_shutdown="all_significant")
    async with open_supervisor([ChildSpec("inner", inner.run, restart=restart)]):
        await trio.sleep(5)
        assert stage.scripts["x"].entries == entries
