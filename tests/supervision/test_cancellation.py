"""Leaving: what comes from outside, at any moment, and what a caller gets when several things go wrong."""

import math
import warnings

import pytest
import trio
import trio.testing

from supervision import (
    ChildSpec,
    ChildStartError,
    RestartIntensityReached,
    SupervisionError,
    Supervisor,
    open_supervisor,
)
from supervision.testing import Act, Scripted, recorded

STARTS = {"a second": 1, "an hour": 3600, "for ever": math.inf}


@pytest.mark.parametrize("how_long", STARTS)
@pytest.mark.parametrize("form", ["run", "open_supervisor", "nursery.start", "in a tree"])
async def test_an_outer_cancellation_during_a_start_ends_at_once(stage, autojump_clock, how_long, form):
    """Nothing is reported ready; those already up are stopped in reverse."""
    supervisor = Supervisor([stage.spec("a"), stage.spec("x", Act(start=STARTS[how_long]))])
    tree = Supervisor([ChildSpec("inner", supervisor.run)])
    with recorded(supervisor) as reports, trio.move_on_after(0.5) as scope:
        if form == "run":
            await supervisor.run()
        elif form == "in a tree":
            await tree.run()
        elif form == "open_supervisor":
            async with open_supervisor([stage.spec("a"), stage.spec("x", Act(start=STARTS[how_long]))]):
                pytest.fail("the block is not entered")
        else:
            async with trio.open_nursery() as nursery:
                await nursery.start(supervisor.run)
    assert scope.cancelled_caught
    assert trio.current_time() == 0.5
    assert stage.happened("ready") == ["a"]
    assert stage.happened("end") == ["x", "a"]
    assert [r.child for r in reports if r.kind == "ready"] in (["a"], [])


@pytest.mark.parametrize("how_long", STARTS)
async def test_an_outer_cancellation_during_a_start_waits_for_that_childs_clean_up(stage, autojump_clock, how_long):
    with trio.move_on_after(0.5):
        await Supervisor([stage.spec("x", Act(start=STARTS[how_long], cleanup=4))]).run()
    assert trio.current_time() == 4.5


@pytest.mark.parametrize("how_long", STARTS)
async def test_an_outer_cancellation_during_a_restart_ends_at_once(stage, autojump_clock, how_long):
    with trio.move_on_after(1.5):
        await Supervisor([stage.spec("x", Act(lives=1), Act(start=STARTS[how_long]))]).run()
    assert trio.current_time() == 1.5


async def test_ready_and_cancelled_in_one_tick_does_not_hang(stage, autojump_clock):
    """The trap of `started()` under a cancelled nursery: a shielded child would be left behind."""
    scope = trio.CancelScope()

    async def child(*, task_status):
        scope.cancel()
        task_status.started()
        await trio.sleep_forever()

    for _ in range(20):
        scope = trio.CancelScope()
        with trio.fail_after(1), scope:
            async with open_supervisor([ChildSpec("x", child)]):
                await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_child_never_sees_the_outer_cancellation_before_its_turn(stage, autojump_clock):
    with trio.move_on_after(1):
        async with open_supervisor([stage.spec("a"), stage.spec("b", Act(cleanup=3))]):
            await trio.sleep_forever()
    assert [entry[1:] for entry in stage.journal if entry[0] == "end"] == [("b", 1, 4.0), ("a", 1, 4.0)]


async def test_a_failure_wins_over_an_outer_cancellation_that_came_later(stage, autojump_clock):
    children = [stage.spec("a", Act(cleanup=4)), stage.spec("x", Act(lives=1))]
    with pytest.raises(RestartIntensityReached), trio.move_on_after(3):
        await Supervisor(children, max_restarts=0).run()
    assert trio.current_time() == 5


async def test_what_gave_up_leaves_the_block_bare_and_cancels_it(stage, autojump_clock):
    cancelled = []

    async def block():
        async with open_supervisor([stage.spec("x", Act(lives=1))], max_restarts=0):
            try:
                await trio.sleep_forever()
            finally:
                cancelled.append(trio.current_time())

    with pytest.raises(RestartIntensityReached):
        await block()
    assert cancelled == [1.0]


async def test_a_block_that_fails_too_makes_one_group_of_both(stage, autojump_clock):
    async def block():
        async with open_supervisor([stage.spec("x", Act(lives=1))], max_restarts=0):
            try:
                await trio.sleep_forever()
            finally:
                raise LookupError("in the block")

    with pytest.raises(ExceptionGroup) as caught:
        await block()
    assert [type(error) for error in caught.value.exceptions] == [LookupError, RestartIntensityReached]


async def test_the_blocks_own_exception_leaves_as_it_is(stage, autojump_clock):
    with pytest.raises(LookupError, match="mine"):
        async with open_supervisor(stage.specs("ab")):
            raise LookupError("mine")
    assert stage.happened("end") == ["b", "a"]


async def test_a_cancelled_block_is_cancelled_and_nothing_else(stage, autojump_clock):
    with trio.CancelScope() as scope:
        async with open_supervisor(stage.specs("ab")):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert stage.happened("end") == ["b", "a"]


async def test_a_start_error_leaves_open_supervisor_bare(stage, autojump_clock):
    with pytest.raises(ChildStartError) as caught:
        async with open_supervisor([stage.spec("x", Act(instead="raise"))]):
            pytest.fail("the block is not entered")
    assert isinstance(caught.value.__cause__, ValueError)


async def test_no_task_is_left_behind(stage, autojump_clock):
    before = trio.lowlevel.current_statistics().tasks_living
    for strategy in ("one_for_one", "one_for_all", "rest_for_one"):
        with trio.move_on_after(5):
            async with open_supervisor(
                [stage.spec("a", Act(lives=2)), stage.spec("b", Act(when_cancelled="crash"))], strategy=strategy
            ) as supervisor:
                await supervisor.start_child(stage.spec("c", Act(when_cancelled="swallow")))
                await trio.sleep_forever()
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_requests_to_a_supervisor_that_is_stopping_or_down_are_refused(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("a", Act(cleanup=3))])
    with pytest.raises(SupervisionError, match="not running"):
        await supervisor.stop_child("a")
    refused = []
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
            for ask in (
                lambda: supervisor.start_child(stage.spec("b")),
                lambda: supervisor.restart_child("a"),
                lambda: supervisor.stop_child("a"),
                lambda: supervisor.delete_child("a"),
            ):
                with pytest.raises(SupervisionError, match="not running") as caught:
                    await ask()
                refused.append(type(caught.value))
    assert refused == [SupervisionError] * 4
    with pytest.raises(SupervisionError, match="not running"):
        await supervisor.start_child(stage.spec("b"))


async def test_requests_in_flight_are_refused_when_stopping_begins(stage, autojump_clock):
    refused = []

    async def ask(request):
        with trio.CancelScope(shield=True):
            try:
                await request
            except SupervisionError as error:
                refused.append((type(error), trio.current_time()))

    async with trio.open_nursery() as nursery, open_supervisor([stage.spec("a", Act(cleanup=3))]) as supervisor:
        nursery.start_soon(ask, supervisor.start_child(stage.spec("slow", Act(start=100))))
        nursery.start_soon(ask, supervisor.stop_child("a"))
        await trio.sleep(1)
    assert refused == [(SupervisionError, 1.0)] * 2


async def cancelled_as_it_fails(stage, **options):
    """A child fails, and the next thing that happens is either the supervisor's turn or the outer cancellation.

    Returns the reports after the cancellation; trio chooses, so ask often.
    """
    failing = trio.Event()
    after = []

    async def child(*, task_status):
        task_status.started()
        await trio.sleep(1)
        failing.set()
        raise ValueError

    supervisor = Supervisor([ChildSpec("x", child), *stage.specs("a")], **options)
    with recorded(supervisor) as reports, trio.CancelScope() as scope:

        async def cancel(*, task_status):
            task_status.started()
            await failing.wait()
            after.append(len(reports))
            scope.cancel()

        async with trio.open_nursery() as nursery:
            await nursery.start(cancel)
            await supervisor.run()
    return reports[after[0] :]


async def test_no_restart_begins_between_an_outer_cancellation_and_its_arrival(stage, autojump_clock):
    for _ in range(30):
        assert "start" not in [report.kind for report in await cancelled_as_it_fails(stage)]


async def test_a_failure_just_before_the_outer_cancellation_still_counts(stage, autojump_clock):
    for _ in range(30):
        with pytest.raises(ExceptionGroup) as caught:
            await cancelled_as_it_fails(stage, max_restarts=0)
        assert [type(error) for error in caught.value.exceptions] == [RestartIntensityReached]


def test_what_failed_is_not_lost_where_the_host_wants_no_groups_of_single_errors():
    """`strict_exception_groups=False` takes the exception out of a group of one, and a Cancelled would win."""

    async def block():
        with trio.move_on_after(1):
            async with open_supervisor([ChildSpec("x", Scripted(Act(cleanup=5)), shutdown=9)]):
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("block")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", trio.TrioDeprecationWarning)
        with pytest.raises(ValueError, match="block"):
            trio.run(block, clock=trio.testing.MockClock(autojump_threshold=0), strict_exception_groups=False)


async def test_a_supervisor_that_was_cancelled_before_its_first_line_starts_nothing(stage, autojump_clock):
    """As a nested one does that is stopped in the moment in which it was started."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await Supervisor([stage.spec("a")]).run()
    assert scope.cancelled_caught
    assert stage.journal == []
