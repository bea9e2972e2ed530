"""The three strategies: who is restarted with a child that failed, in what order, for what price."""

import pytest
import trio
import trio.testing

from supervision import Backoff, RestartIntensityReached, Supervisor, open_supervisor
from supervision.testing import Act, recorded

CRASHES = Act(lives=1)


async def test_one_for_one_restarts_only_the_child_that_failed(stage, autojump_clock):
    async with open_supervisor([stage.spec("a"), stage.spec("b", CRASHES, Act()), stage.spec("c")]):
        await trio.sleep(2)
        assert stage.order() == "a b c -b b"


async def test_one_for_all_stops_the_survivors_in_reverse_then_starts_all_in_order(stage, autojump_clock):
    children = [stage.spec("a"), stage.spec("b", CRASHES, Act()), stage.spec("c")]
    async with open_supervisor(children, strategy="one_for_all"):
        await trio.sleep(2)
        assert stage.order() == "a b c -b -c -a a b c"


async def test_rest_for_one_restarts_it_and_those_started_after_it(stage, autojump_clock):
    children = [stage.spec("a"), stage.spec("b", CRASHES, Act()), stage.spec("c"), stage.spec("d")]
    async with open_supervisor(children, strategy="rest_for_one"):
        await trio.sleep(2)
        assert stage.order() == "a b c d -b -d -c b c d"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_costs_one_unit(stage, autojump_clock, strategy):
    supervisor = Supervisor([stage.spec("a", CRASHES, Act()), *stage.specs("bcd")], strategy=strategy, max_restarts=1)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(2)
            nursery.cancel_scope.cancel()
    assert [(r.child, r.budget_used) for r in reports if r.kind == "restart"] == [("a", 1)]
    assert stage.happened("ready") == list("abcdabcd")


async def test_each_waits_for_the_one_before_it_in_a_group_restart(stage, autojump_clock):
    children = [stage.spec("a", CRASHES, Act(start=5)), stage.spec("b", Act(start=1))]
    async with open_supervisor(children, strategy="one_for_all"):
        await trio.sleep(10)
    assert [entry[3] for entry in stage.journal if entry[:2] == ("enter", "b")] == [0, 6]


async def test_two_that_fail_together_are_one_group_restart_in_one_for_all(stage, autojump_clock):
    children = [stage.spec("a", CRASHES, Act()), stage.spec("b", CRASHES, Act()), stage.spec("c")]
    async with open_supervisor(children, strategy="one_for_all", max_restarts=1):
        await trio.sleep(2)
        assert stage.happened("ready") == list("abcabc")


async def test_two_that_fail_together_are_two_restarts_in_one_for_one(stage, autojump_clock):
    with pytest.raises(RestartIntensityReached) as caught:
        async with open_supervisor(
            [stage.spec("a", CRASHES, Act()), stage.spec("b", CRASHES, Act())], strategy="one_for_one", max_restarts=1
        ):
            await trio.sleep(2)
    assert caught.value.child == "b"


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_temporary_bystander_is_stopped_and_dropped(stage, states, autojump_clock, strategy):
    children = [stage.spec("a", CRASHES, Act()), stage.spec("t", restart="temporary"), stage.spec("z")]
    async with open_supervisor(children, strategy=strategy) as supervisor:
        await trio.sleep(2)
        assert states(supervisor) == {"a": "running", "z": "running"}
        assert stage.happened("ready") == ["a", "t", "z", "a", "z"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_a_group_restart_raises_nobody_from_the_dead(stage, states, autojump_clock, strategy):
    """What had finished, and what was stopped by hand, stays down (ours: OTP starts it again)."""
    children = [
        stage.spec("a", Act(lives=5), Act()),
        stage.spec("done", Act(lives=1, ends="return"), restart="transient"),
        stage.spec("put away"),
        stage.spec("z"),
    ]
    async with open_supervisor(children, strategy=strategy) as supervisor:
        await supervisor.stop_child("put away")
        await trio.sleep(6)
        assert states(supervisor) == {"a": "running", "done": "finished", "put away": "stopped", "z": "running"}
        assert stage.happened("ready")[-2:] == ["a", "z"]


@pytest.mark.parametrize(
    ("restart", "act"),
    [
        ("temporary", Act(lives=1)),
        ("temporary", Act(lives=1, ends="return")),
        ("transient", Act(lives=1, ends="return")),
    ],
)
@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_an_exit_that_leads_to_no_restart_touches_no_sibling_and_costs_nothing(
    stage, autojump_clock, strategy, restart, act
):
    children = [stage.spec("a", act, restart=restart), stage.spec("b")]
    async with open_supervisor(children, strategy=strategy, max_restarts=0):
        await trio.sleep(2)
        assert stage.order() == "a b -a"


async def test_rest_for_one_goes_on_at_the_child_whose_restart_failed(stage, autojump_clock):
    """Those already up again stay up; each try costs one."""
    children = [
        stage.spec("a"),
        stage.spec("b", CRASHES, Act()),
        stage.spec("c", Act(), Act(instead="raise"), Act(instead="raise"), Act()),
        stage.spec("d"),
    ]
    supervisor = Supervisor(children, strategy="rest_for_one", max_restarts=3)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(2)
            assert stage.happened("ready") == list("abcdbcd")
            nursery.cancel_scope.cancel()
    assert [(r.child, r.budget_used) for r in reports if r.kind == "restart"] == [("b", 1), ("c", 2), ("c", 3)]


async def test_one_for_all_stops_the_restarted_again_and_begins_at_the_first(stage, autojump_clock):
    children = [stage.spec("a", CRASHES, Act()), stage.spec("b"), stage.spec("c", Act(), Act(instead="raise"), Act())]
    async with open_supervisor(children, strategy="one_for_all", max_restarts=2):
        await trio.sleep(2)
        assert stage.order() == "a b c -a -c -b a b -c -b -a a b c"


async def test_a_pending_retry_that_another_restart_takes_along_is_dropped(stage, autojump_clock):
    """b waits for its retry; a fails and takes b along: one start of b, not two."""
    children = [stage.spec("a", Act(lives=4), Act()), stage.spec("b", CRASHES, Act()), stage.spec("c")]
    backoff = Backoff(initial=10, maximum=10, jitter=False)
    async with open_supervisor(children, strategy="rest_for_one", backoff=backoff) as supervisor:
        await trio.sleep(13.5)
        assert stage.order() == "a b c -b -c -a"
        await trio.sleep(20)
        assert stage.order() == "a b c -b -c -a a b c"
        assert [child.restarts for child in supervisor.children()] == [1, 1, 1]


async def test_survivors_are_stopped_at_once_then_the_delay_runs_then_all_start(stage, states, autojump_clock):
    children = [stage.spec("a", CRASHES, Act()), stage.spec("b", Act(cleanup=2))]
    backoff = Backoff(initial=10, maximum=10, jitter=False)
    async with open_supervisor(children, strategy="one_for_all", backoff=backoff) as supervisor:
        await trio.sleep(4)
        assert states(supervisor) == {"a": "restarting", "b": "restarting"}
        await trio.sleep(20)
    assert [entry[3] for entry in stage.journal if entry[0] == "enter"] == [0, 0, 13, 13]


async def test_a_sibling_that_fails_while_another_is_restarting_is_handled_at_once(stage, autojump_clock):
    """b's restart needs a, and a fails again: waiting for b first would be waiting for ever."""
    children = [stage.spec("a", CRASHES, Act(lives=2), Act()), stage.spec("b", Act(), Act(start=1000), Act())]
    async with open_supervisor(children, strategy="rest_for_one"):
        await trio.sleep(5)
        assert stage.order() == "a b -a -b a -a -b a b"


async def test_a_failed_start_and_a_crash_together_are_one_group_restart(stage, autojump_clock):
    """At 3 s a crashes and b's restart fails."""
    children = [
        stage.spec("a", CRASHES, Act(lives=2), Act()),
        stage.spec("b", Act(), Act(start=2, instead="raise"), Act()),
    ]
    async with open_supervisor(children, strategy="one_for_all", max_restarts=2):
        await trio.sleep(5)
        assert stage.happened("ready") == ["a", "b", "a", "a", "b"]


async def test_a_child_parked_in_a_group_leaves_a_siblings_pending_retry_alone(stage, states, autojump_clock):
    backoff = Backoff(initial=10, maximum=10, jitter=False)
    parked = {"on_give_up": "park", "backoff": Backoff(0, 0, max_failures=0)}
    children = [stage.spec("a", Act(lives=3), **parked), stage.spec("x", CRASHES, Act())]
    async with open_supervisor(children, strategy="rest_for_one", backoff=backoff) as supervisor:
        await trio.sleep(5)
        assert states(supervisor) == {"a": "parked", "x": "restarting"}
        await trio.sleep(7)
        assert states(supervisor) == {"a": "parked", "x": "running"}
