"""permanent, transient, temporary: who is started again, and what stays listed."""

import pytest
import trio

from supervision import open_supervisor
from supervision.testing import Act

RETURNS = Act(lives=1, ends="return")
CRASHES = Act(lives=1, ends="crash")


@pytest.mark.parametrize(
    ("restart", "act", "state"),
    [
        ("permanent", RETURNS, "running"),
        ("permanent", CRASHES, "running"),
        ("transient", RETURNS, "finished"),
        ("transient", CRASHES, "running"),
        ("temporary", RETURNS, None),
        ("temporary", CRASHES, None),
    ],
)
async def test_who_is_started_again(stage, states, autojump_clock, restart, act, state):
    """A temporary child's spec goes with it; a finished transient's stays, not running."""
    async with open_supervisor([stage.spec("x", act, Act(), restart=restart)]) as supervisor:
        await trio.sleep(2)
        assert states(supervisor).get("x") == state
        assert stage.scripts["x"].entries == (2 if state == "running" else 1)


async def test_a_finished_transient_can_be_started_by_hand(stage, states, autojump_clock):
    async with open_supervisor([stage.spec("x", RETURNS, Act(), restart="transient")]) as supervisor:
        await trio.sleep(2)
        await supervisor.restart_child("x")
        assert states(supervisor) == {"x": "running"}


async def test_incarnation_counts_every_entry_and_restarts_the_automatic_ones(stage, info, autojump_clock):
    acts = [CRASHES, Act(instead="raise"), Act()]
    async with open_supervisor([stage.spec("x", *acts)]) as supervisor:
        await trio.sleep(2)
        assert (info(supervisor, "x").incarnation, info(supervisor, "x").restarts) == (3, 2)
        await supervisor.stop_child("x")
        await supervisor.restart_child("x")
        assert (info(supervisor, "x").incarnation, info(supervisor, "x").restarts) == (4, 2)


async def test_the_last_exit_is_kept_with_its_cause(stage, info, autojump_clock):
    boom = ValueError("boom")
    async with open_supervisor([stage.spec("x", Act(lives=1, error=boom), Act())]) as supervisor:
        assert info(supervisor, "x").last_exit is None
        await trio.sleep(2)
        last = info(supervisor, "x").last_exit
        assert (last.reason, last.cause, last.at) == ("failed", boom, 1.0)
        assert info(supervisor, "x").started_at == 1.0
