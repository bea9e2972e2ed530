"""A child's table of states: what it allows, what it refuses, and what retiring tells."""

from __future__ import annotations

import itertools

import pytest
import trio

from supervision import ChildSpec, Supervisor, open_supervisor
from supervision.child import Child
from supervision.lifecycle import LIVING, TRANSITIONS, ChildState, Trigger, step
from supervision.reports import Reporter
from supervision.testing import Act


async def _run(*, task_status=trio.TASK_STATUS_IGNORED):
    task_status.started()


def a_child(state: ChildState, **spec: object) -> Child:
    return Child(ChildSpec("x", _run, **spec), Reporter("top"), None, 0, state=state)


def test_every_state_is_reached_and_left_again() -> None:
    assert {after for _, after in TRANSITIONS.values()} | {ChildState.PENDING} == set(ChildState)
    assert {before for befores, _ in TRANSITIONS.values() for before in befores} == set(ChildState)
    assert set(TRANSITIONS) == set(Trigger)


def test_no_living_child_is_entered_and_none_comes_down_without_its_end() -> None:
    for state, trigger in itertools.product(LIVING, Trigger):
        after = step(state, trigger)
        assert after is None or after in LIVING or (trigger, after) == (Trigger.END, ChildState.ENDED)


def test_a_step_that_is_not_in_the_table_is_refused_and_changes_nothing() -> None:
    child = a_child(ChildState.RUNNING)
    with pytest.raises(RuntimeError, match="child 'x' is running: 'enter' cannot happen"):
        child.move(Trigger.ENTER)
    assert child.state is ChildState.RUNNING


@pytest.mark.parametrize(
    ("state", "trigger", "told"),
    [
        (ChildState.RESTARTING, Trigger.RETIRE, "stopped"),
        (ChildState.RUNNING, Trigger.RETIRE, "stopped"),
        (ChildState.ENDED, Trigger.FINISH, "finished"),
        (ChildState.ENDED, Trigger.PARK, "parked"),
    ],
)
def test_whoever_waits_is_told_once_as_what_a_child_retires(state: ChildState, trigger: Trigger, told: str) -> None:
    child, heard = a_child(state), []
    child.on_retired.append(heard.append)
    child.retire(trigger)
    child.retire()
    assert heard == [told]
    assert not child.should_run


@pytest.mark.parametrize(("restart", "failed", "may"), [
    ("permanent", False, True), ("permanent", True, True), ("transient", False, False), ("transient", True, True),
    ("temporary", True, False),
])  # fmt: skip
def test_who_may_be_restarted(restart: str, failed: bool, may: bool) -> None:
    child = a_child(ChildState.RUNNING, restart=restart)
    assert child.may_restart(failed=failed) is may
    child.retire()
    assert not child.may_restart(failed=failed)


async def test_a_heartbeat_that_passes_after_a_crash_during_the_first_start_starts_nothing(stage, autojump_clock):
    """The crash is handled once the first start is through, here after two missed beats."""
    specs = [
        stage.spec("beats", Act(lives=1, beats=0.5), Act(beats=0.5), heartbeat=1.0),
        stage.spec("slow", Act(start=10)),
    ]
    async with open_supervisor(specs, strategy="rest_for_one") as supervisor:
        assert stage.scripts["beats"].entries == 1
        await trio.sleep(1)
        assert stage.scripts["beats"].entries == 2
        assert [info.state for info in supervisor.children()] == ["running", "starting"]


def test_options_are_attributes_that_stay() -> None:
    supervisor = Supervisor(strategy="rest_for_one")
    assert (supervisor.strategy, supervisor.max_restarts) == ("rest_for_one", 3)
    assert repr(supervisor).startswith("Supervisor(name='supervisor', strategy=")
    with pytest.raises(AttributeError):
        supervisor.max_restarts = 5  # type: ignore[misc]
