"""Back-off: how long before a restart, what ends a row of failures, when a row is too long; and parking."""

import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from supervision import Backoff, ChildSpec, RestartIntensityReached, SpecError, Supervisor, open_supervisor
from supervision.testing import Act, recorded

NEVER_FULL = 10**6


def test_delays_grow_by_the_factor_from_initial_to_the_cap():
    backoff = Backoff(initial=0.5, maximum=5, factor=3, jitter=False)
    assert [backoff.delay(row, random.Random(0)) for row in range(5)] == [0.5, 1.5, 4.5, 5, 5]


@given(st.integers(0, 10_000), st.floats(0, 10), st.floats(1, 1e9), st.integers())
def test_full_jitter_lies_between_nothing_and_the_bound(row, initial, factor, seed):
    backoff = Backoff(initial=initial, maximum=10, factor=factor)
    assert 0 <= backoff.delay(row, random.Random(seed)) <= backoff.bound(row) <= 10


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(1, 1e9), st.integers())
def test_equal_jitter_lies_between_half_of_the_bound_and_the_bound(row, initial, factor, seed):
    backoff = Backoff(initial=initial, maximum=10, factor=factor, jitter="equal")
    assert backoff.bound(row) / 2 <= backoff.delay(row, random.Random(seed)) <= backoff.bound(row)


def test_jitter_is_a_word_or_whether_there_is_any():
    assert [Backoff(jitter=jitter).jitter for jitter in (True, False, "equal")] == ["full", "none", "equal"]


def test_the_same_seed_gives_the_same_delays_and_each_child_its_own():
    def delays(seed, child):
        source = Backoff(seed=seed).source(child)
        return [Backoff(seed=seed).delay(row, source) for row in range(5)]

    assert delays(1, "a") == delays(1, "a")
    assert delays(1, "a") != delays(1, "b")
    assert delays(1, "a") != delays(2, "a")


def test_none_means_no_delay_and_no_limit():
    backoff = Backoff.none()
    assert [backoff.delay(row, random.Random(0)) for row in range(3)] == [0, 0, 0]
    assert backoff.max_failures is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": -1},
        {"maximum": 0.01},
        {"factor": 0.5},
        {"max_failures": 1.5},
        {"jitter": "equa"},
        {"reset_after": "x"},
        {"seed": "x"},
    ],
)
def test_wrong_values_name_their_field(wrong):
    with pytest.raises(SpecError) as caught:
        Backoff(**wrong)
    assert caught.value.field == next(iter(wrong))


async def test_a_delayed_child_reads_restarting_and_the_report_tells_the_delay(stage, states, autojump_clock):
    backoff = Backoff(initial=2, maximum=60, jitter=False)
    supervisor = Supervisor([stage.spec("x", Act(lives=1))], backoff=backoff, max_restarts=NEVER_FULL)
    with recorded(supervisor) as reports, trio.move_on_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(2)
            assert states(supervisor) == {"x": "restarting"}
            await trio.sleep_forever()
    assert [(r.at, r.delay, r.budget_used) for r in reports if r.kind == "backoff"] == [
        (1.0, 2, 1),
        (4.0, 4, 2),
        (9.0, 8, 2),
        (18.0, 16, 1),
    ]
    assert [r.at for r in reports if r.kind == "restart"] == [3.0, 8.0, 17.0]


async def test_a_healthy_run_ends_the_row_and_a_start_that_worked_does_not(stage, autojump_clock):
    """`reset_after=None` means `maximum`; uptime runs from ready to exit."""
    backoff = Backoff(initial=1, maximum=4, jitter=False)
    acts = [Act(lives=3), Act(lives=3), Act(start=5, lives=3), Act(lives=4), Act(lives=3), Act()]
    supervisor = Supervisor([stage.spec("x", *acts)], backoff=backoff, max_restarts=NEVER_FULL)
    with recorded(supervisor) as reports, trio.move_on_after(100):
        await supervisor.run()
    assert [r.delay for r in reports if r.kind == "backoff"] == [1, 2, 4, 1, 2]


async def test_reset_after_can_be_given(stage, autojump_clock):
    backoff = Backoff(initial=1, maximum=60, jitter=False, reset_after=2)
    acts = [Act(lives=1), Act(lives=1), Act(lives=2), Act(lives=1), Act()]
    supervisor = Supervisor([stage.spec("x", *acts)], backoff=backoff, max_restarts=NEVER_FULL)
    with recorded(supervisor) as reports, trio.move_on_after(100):
        await supervisor.run()
    assert [r.delay for r in reports if r.kind == "backoff"] == [1, 2, 1, 2]


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_the_failure_after_max_failures_restarts_in_a_row_gives_up(stage, autojump_clock, limit):
    """With delays longer than period / max_restarts the window alone would never trip."""
    backoff = Backoff(initial=100, maximum=100, jitter=False, max_failures=limit)
    with pytest.raises(RestartIntensityReached, match=f"more than {limit} failures in a row"):
        async with open_supervisor([stage.spec("x", Act(lives=1))], backoff=backoff):
            await trio.sleep_forever()
    assert stage.scripts["x"].entries == limit + 1


async def test_failed_starts_count_in_the_row(stage, autojump_clock):
    backoff = Backoff(initial=100, maximum=100, jitter=False, max_failures=3)
    with pytest.raises(RestartIntensityReached):
        async with open_supervisor([stage.spec("x", Act(lives=1), Act(instead="raise"))], backoff=backoff):
            await trio.sleep_forever()
    assert stage.scripts["x"].entries == 4


async def test_a_childs_own_backoff_goes_before_the_supervisors_none_too(stage, autojump_clock):
    children = [
        stage.spec("a", Act(lives=1), Act(), backoff=Backoff.none()),
        stage.spec("b", Act(lives=1), Act(), backoff=Backoff(initial=7, maximum=7, jitter=False)),
        stage.spec("c", Act(lives=1), Act()),
    ]
    async with open_supervisor(children, backoff=Backoff(initial=3, maximum=3, jitter=False)):
        await trio.sleep(20)
    assert {name: at for what, name, _, at in stage.journal if what == "ready"} == {"a": 1, "b": 8, "c": 4}


async def test_other_children_and_requests_are_served_while_one_is_delayed(stage, states, autojump_clock):
    backoff = Backoff(initial=1000, maximum=1000, jitter=False)
    children = [stage.spec("a", Act(lives=1)), stage.spec("b", Act(lives=2), Act(), backoff=Backoff.none())]
    async with open_supervisor(children, backoff=backoff) as supervisor:
        await trio.sleep(3)
        await supervisor.start_child(stage.spec("c"))
        assert states(supervisor) == {"a": "restarting", "b": "running", "c": "running"}


@pytest.mark.parametrize("limits", [{"max_restarts": 2}, {"backoff": Backoff(0, 0, max_failures=2, reset_after=9)}])
async def test_a_parked_child_is_down_and_listed_and_its_siblings_live(stage, states, autojump_clock, limits):
    supervisor = Supervisor([stage.spec("x", Act(lives=1), on_give_up="park"), stage.spec("b")], **limits)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(100)
            assert states(supervisor) == {"x": "parked", "b": "running"}
            assert stage.order() == "x b -x x -x x -x"
            nursery.cancel_scope.cancel()
    assert [(r.kind, r.child) for r in reports if r.kind == "give_up"] == [("give_up", "x")]


async def test_a_parked_child_is_started_by_hand_with_a_row_of_its_own(stage, states, autojump_clock):
    backoff = Backoff(initial=1, maximum=100, jitter=False, max_failures=2)
    supervisor = Supervisor([stage.spec("x", Act(lives=1), on_give_up="park")], backoff=backoff)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(50)
            await supervisor.restart_child("x")
            assert states(supervisor) == {"x": "running"}
            await trio.sleep(50)
            assert states(supervisor) == {"x": "parked"}
            nursery.cancel_scope.cancel()
    assert [r.delay for r in reports if r.kind == "backoff"] == [1, 2, 1, 2]


async def test_a_parked_childs_units_leave_the_window(stage, states, autojump_clock):
    children = [stage.spec("x", Act(lives=0), on_give_up="park"), stage.spec("b", Act(lives=1), Act())]
    async with open_supervisor(children, max_restarts=3) as supervisor:
        await trio.sleep(3)
        assert states(supervisor) == {"x": "parked", "b": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_in_a_group_the_siblings_are_started_without_the_parked_one(stage, states, autojump_clock, strategy):
    children = [stage.spec("x", Act(lives=1), Act(instead="raise"), on_give_up="park"), stage.spec("b")]
    async with open_supervisor(children, strategy=strategy, max_restarts=2) as supervisor:
        await trio.sleep(3)
        assert states(supervisor) == {"x": "parked", "b": "running"}


async def test_the_servers_of_greenrooms_own_tree_parks_and_restarts_nobody(stage, states, autojump_clock):
    """A server that fails a hundred times in a row: budget 5 in 60 s, 8 in a row, back-off 0.2 to 10 s."""
    servers = Supervisor(
        [stage.spec("http", Act(instead=None, lives=0.01), on_give_up="park"), stage.spec("feed")],
        max_restarts=5,
        period=60,
        backoff=Backoff(initial=0.2, maximum=10, max_failures=8, seed=1),
    )
    async with open_supervisor([stage.spec("store"), stage.spec("actors")], strategy="rest_for_one") as root:
        await root.start_child(ChildSpec("servers", servers.run))
        await trio.sleep(1000)
        assert states(servers) == {"http": "parked", "feed": "running"}
        assert [child.restarts for child in root.children()] == [0, 0, 0]


async def test_the_failure_of_a_later_child_does_not_cut_short_the_wait_of_an_earlier_one(stage, autojump_clock):
    """Both are started when the first one's wait is over."""
    thirty = Backoff(initial=30, maximum=30, jitter=False)
    supervisor = Supervisor([stage.spec("a", Act(lives=1), Act(), backoff=thirty)], strategy="rest_for_one")
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await trio.sleep(2)
        await supervisor.start_child(stage.spec("x", Act(lives=2), Act()))
        await trio.sleep(40)
        nursery.cancel_scope.cancel()
    entered = [(name, number, pytest.approx(at)) for what, name, number, at in stage.journal if what == "enter"]
    assert entered == [("a", 1, 0.0), ("x", 1, 2.0), ("a", 2, 31.0), ("x", 2, 31.0)]
