"""Stopping: strictly in reverse, one at a time, each with its own limit; and what outlives it."""

import contextlib

import pytest
import trio
import trio.testing

from supervision import ChildSpec, ShutdownOverrun, SpecError, SupervisionError, Supervisor, open_supervisor
from supervision.testing import Act, recorded


def stubborn(seconds):
    """A child that takes this long to end once it is cancelled."""
    return Act(cleanup=seconds)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_children_stop_in_reverse_one_at_a_time(stage, autojump_clock, strategy):
    children = [stage.spec(name, stubborn(2)) for name in "abc"]
    async with open_supervisor(children, strategy=strategy):
        pass
    ends = [(name, at) for what, name, _, at in stage.journal if what == "end"]
    assert ends == [("c", 2.0), ("b", 4.0), ("a", 6.0)]


async def test_each_has_its_own_full_limit_under_an_outer_cancellation_too(stage, autojump_clock):
    with trio.move_on_after(1) as scope:
        async with open_supervisor([stage.spec(name, stubborn(4)) for name in "abc"]):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    ends = [(name, at) for what, name, _, at in stage.journal if what == "end"]
    assert ends == [("c", 5.0), ("b", 9.0), ("a", 13.0)]


async def test_the_block_unwinds_first_its_children_still_alive(stage, states, autojump_clock):
    with trio.move_on_after(1):
        async with open_supervisor(stage.specs("ab")) as supervisor:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(5)
                assert states(supervisor) == {"a": "running", "b": "running"}
    assert [entry[3] for entry in stage.journal if entry[0] == "end"] == [6, 6]


async def test_a_pool_stops_together_each_judged_by_its_own_limit(stage, autojump_clock):
    children = [stage.spec("a", stubborn(3)), stage.spec("b", stubborn(9)), stage.spec("c", stubborn(3))]
    supervisor = Supervisor(children, stop="together")
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    assert [r.child for r in reports if r.kind == "stopping"] == ["c", "b", "a"]
    assert sorted((name, at) for what, name, _, at in stage.journal if what == "end") == [("a", 3), ("b", 9), ("c", 3)]
    assert [(r.child, pytest.approx(r.at)) for r in reports if r.kind == "overrun"] == [("b", 5.0)]


def test_stopping_together_is_for_pools():
    with pytest.raises(SpecError, match="stop: 'together' goes with one_for_one only"):
        Supervisor(strategy="rest_for_one", stop="together")


async def test_a_worker_has_five_seconds_unless_it_says_otherwise(stage, autojump_clock):
    children = [stage.spec("a", stubborn(9)), stage.spec("b", stubborn(9), shutdown=8)]
    supervisor = Supervisor(children, stop="together")
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    overrun = [(r.child, pytest.approx(r.at)) for r in reports if r.kind == "overrun"]
    assert overrun == [("a", 5.0), ("b", 8.0)]


async def test_a_child_supervisor_has_no_limit(stage, autojump_clock):
    inner = Supervisor([stage.spec("slow", stubborn(1000), shutdown=2000)])
    outer = Supervisor([ChildSpec("inner", inner.run)])
    with recorded(outer) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(outer.run)
            nursery.cancel_scope.cancel()
    assert "overrun" not in [r.kind for r in reports]
    assert trio.current_time() == 1000


async def test_to_end_at_the_very_edge_of_the_limit_is_in_time(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("a", stubborn(5))])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    assert [r.kind for r in reports] == ["start", "ready", "stopping", "stopped"]


async def test_what_outlives_its_limit_is_overrun_and_waited_for(stage, states, autojump_clock):
    """trio cannot kill: the stop goes on only when the child is gone."""
    supervisor = Supervisor([stage.spec("a"), stage.spec("b", stubborn(60))])
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(4)
            assert states(supervisor) == {"a": "running", "b": "stopping"}
            await trio.sleep(2)
            assert states(supervisor) == {"a": "running", "b": "overrun"}
    assert [entry[1:] for entry in stage.journal if entry[0] == "end"] == [("b", 1, 60.0), ("a", 1, 60.0)]


async def test_an_overrun_child_holds_up_no_sibling_in_a_pool(stage, states, autojump_clock):
    children = [stage.spec("hung", stubborn(1000)), stage.spec("b", Act(lives=10), Act())]
    async with open_supervisor(children) as supervisor, trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.stop_child, "hung")
        await trio.sleep(11)
        await supervisor.start_child(stage.spec("c"))
        assert states(supervisor) == {"hung": "overrun", "b": "running", "c": "running"}


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_incarnation_n_plus_one_never_starts_while_n_lives(stage, autojump_clock, strategy):
    children = [stage.spec("a", Act(lives=1), Act()), stage.spec("b", stubborn(60), Act())]
    async with open_supervisor(children, strategy=strategy):
        await trio.sleep(30)
        assert stage.scripts["b"].alive == 1
        await trio.sleep(60)
        assert (stage.scripts["b"].alive, stage.scripts["a"].alive) == (1, 1)


async def test_an_overrun_of_a_child_stopped_by_hand_escalates_too(stage, autojump_clock):
    """The caller of `stop_child` gets SupervisionError: the supervisor is stopping."""
    supervisor = Supervisor([stage.spec("a"), stage.spec("b", stubborn(60))], overrun="escalate")
    errors = []

    async def keep(*, task_status):
        try:
            await supervisor.run(task_status=task_status)
        except ShutdownOverrun as error:
            errors.append((error.child, trio.current_time()))

    async with trio.open_nursery() as nursery:
        await nursery.start(keep)
        with pytest.raises(SupervisionError, match="is stopping"):
            await supervisor.stop_child("b")
        assert trio.current_time() == pytest.approx(5.0)
        await trio.sleep(1)
        assert stage.happened("end") == ["a"]
    assert errors == [("b", 60)]


async def test_an_escalated_overrun_leaves_when_the_child_is_gone(stage, autojump_clock):
    with pytest.raises(ShutdownOverrun) as caught:
        async with open_supervisor(
            [stage.spec("a"), stage.spec("b", stubborn(60)), stage.spec("c")], overrun="escalate"
        ):
            pass
    assert caught.value.child == "b"
    ends = [(name, pytest.approx(at)) for what, name, _, at in stage.journal if what == "end"]
    assert ends == [("c", 0.0), ("a", 5.0), ("b", 60.0)]


@pytest.mark.parametrize("overrun", ["wait", "escalate"])
async def test_past_the_deadline_of_the_whole_stop_what_remains_is_overrun(stage, autojump_clock, overrun):
    children = [stage.spec("a", stubborn(4)), stage.spec("b", stubborn(4)), stage.spec("c", stubborn(4))]
    supervisor = Supervisor(children, shutdown_deadline=6, overrun=overrun)
    with recorded(supervisor) as reports:
        expected = pytest.raises(ExceptionGroup) if overrun == "escalate" else contextlib.nullcontext()
        with expected as caught:
            async with trio.open_nursery() as nursery:
                await nursery.start(supervisor.run)
                nursery.cancel_scope.cancel()
    if caught is not None:
        assert [(type(error), error.child) for error in caught.value.exceptions] == [(ShutdownOverrun, "b")]
    overrun_at = [(r.child, pytest.approx(r.at)) for r in reports if r.kind == "overrun"]
    assert overrun_at == [("b", 6.0), ("a", 6.0)]
    assert [at for what, _, _, at in stage.journal if what == "end"] == [4, 8, 10]


async def test_no_time_at_all_is_kept_by_a_child_that_does_not_wait(stage, autojump_clock):
    async def with_a_nursery(*, task_status):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            task_status.started()

    supervisor = Supervisor([stage.spec("a", shutdown=0), ChildSpec("b", with_a_nursery, shutdown=0)])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    assert [r.child for r in reports if r.kind == "stopped"] == ["b", "a"]
    assert "overrun" not in [r.kind for r in reports]


async def test_no_time_at_all_is_overrun_at_the_first_wait(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("a", stubborn(3), shutdown=0)])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    assert [(r.kind, r.at) for r in reports][-3:] == [("stopping", 0.0), ("overrun", 0.0), ("stopped", 3.0)]


async def test_a_clean_up_error_is_one_report_and_never_raised(stage, autojump_clock):
    supervisor = Supervisor([stage.spec("a"), stage.spec("b", Act(when_cancelled="crash"))])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.cancel_scope.cancel()
    assert [(r.kind, r.child) for r in reports if r.kind not in ("start", "ready", "stopping")] == [
        ("shutdown_error", "b"),
        ("stopped", "a"),
    ]
    assert isinstance(next(r.cause for r in reports if r.kind == "shutdown_error"), ValueError)


@pytest.mark.parametrize(
    ("restart", "kind"), [("permanent", "shutdown_error"), ("transient", "stopped"), ("temporary", "stopped")]
)
async def test_a_child_that_swallows_its_cancellation_is_reported_and_not_restarted(
    stage, autojump_clock, restart, kind
):
    supervisor = Supervisor([stage.spec("a", Act(when_cancelled="swallow"), restart=restart)])
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await supervisor.stop_child("a")
            assert [(r.kind, r.reason) for r in reports[3:]] == [(kind, "returned")]
            await trio.sleep(100)
            assert stage.scripts["a"].entries == 1
            nursery.cancel_scope.cancel()


async def test_clean_up_that_awaits_is_cut_unless_it_is_shielded(autojump_clock):
    """What a child owes: shield with a deadline. The supervisor gives the time, trio the cancellation."""
    reached = []

    async def child(*, task_status):
        try:
            task_status.started()
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(2, shield=True):
                await trio.sleep(1)
                reached.append("shielded")
            await trio.sleep(1)
            reached.append("unshielded")

    async with open_supervisor([ChildSpec("a", child)]):
        pass
    assert reached == ["shielded"]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_no_restart_begins_once_stopping_began(stage, autojump_clock, strategy):
    """A child spawned into a cancelled nursery still runs to its first checkpoint."""
    supervisor = Supervisor([stage.spec("a", Act(lives=1)), stage.spec("b")], strategy=strategy)
    with trio.move_on_after(1):
        await supervisor.run()
    assert stage.scripts["a"].entries == 1
    assert stage.happened("end")[-1:] == ["b"] or stage.happened("end") == ["b", "a"]


@pytest.mark.parametrize("overrun", ["wait", "escalate"])
@pytest.mark.parametrize("seed", range(6))
async def test_what_ends_exactly_at_the_deadline_of_the_whole_stop_is_in_time(stage, autojump_clock, overrun, seed):
    trio._core._run._r.seed(seed)  # two tasks are due at that instant, and either may be the first
    supervisor = Supervisor([stage.spec("a", stubborn(3))], shutdown_deadline=3, overrun=overrun)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    assert "overrun" not in [r.kind for r in reports]


async def test_a_child_that_crashes_as_it_is_ready_in_the_moment_of_an_outer_cancellation_disturbs_no_stop(
    stage, autojump_clock
):
    """It is ready and down before the supervisor has its turn: its heartbeat is not watched any more."""
    incarnations, scope = [], trio.CancelScope()

    async def crashing(*, task_status):
        incarnations.append(trio.current_time())
        task_status.started()
        if len(incarnations) == 2:
            scope.cancel()
            raise ValueError("at once")
        await trio.sleep(1)
        raise ValueError("later")

    children = [stage.spec("s", stubborn(3)), ChildSpec("c", crashing, heartbeat=2)]
    supervisor = Supervisor(children, strategy="rest_for_one")
    with recorded(supervisor) as reports, scope:
        await supervisor.run()
    assert [(r.child, r.kind) for r in reports][-3:-1] == [("c", "exit"), ("s", "stopping")]
    assert (reports[-1].child, reports[-1].kind, reports[-1].at) == ("s", "stopped", pytest.approx(4))
