"""When the nodes of a job count as back: after a lost one, only after it has answered for a while."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.commands import Answer
from actors.providers.slurm.nodes import ORPHANS_END_WITHIN, Nodes

CONFIG = "ClusterName = lab\nMinJobAge = 300 sec\nMessageTimeout = 10 sec\nKillWait = 30 sec\nSLURM_VERSION = 22.05.8\n"


@attrs.define
class Canned:
    """Commands that tell the states of nodes; ``failing``: scontrol does not answer."""

    states: list[str]
    failing: bool = False

    async def run(self, _program: str, *arguments: str, **_options: object) -> Answer:
        await trio.lowlevel.checkpoint()
        if "config" in arguments:
            return Answer(0, CONFIG, "")
        if self.failing:
            return Answer(1, "", "slurm_load_node error: Socket timed out")
        return Answer(0, "".join(f"NodeName=n State={state} Weight=1\n" for state in self.states), "")


async def back(watched: Nodes, *, were_lost: bool, nodes: str | None = "n[1-2]") -> bool:
    return await watched.look().are_back(7, nodes, were_lost=were_lost)


def nodes_of(slurm: Canned) -> Nodes:
    return Nodes(Cluster("slurm", slurm))  # type: ignore[arg-type]


async def test_nodes_that_never_were_away_are_there_at_once(autojump_clock: trio.testing.MockClock) -> None:
    slurm = Canned(["IDLE", "MIXED"])
    assert await back(nodes_of(slurm), were_lost=False)


async def test_a_lost_node_must_have_been_back_for_twice_kill_wait_and_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    slurm = Canned(["IDLE", "IDLE"])
    nodes = nodes_of(slurm)
    assert not await back(nodes, were_lost=True)
    await trio.sleep(59 + ORPHANS_END_WITHIN)
    assert not await back(nodes, were_lost=True)
    await trio.sleep(2)
    assert await back(nodes, were_lost=True)


@pytest.mark.parametrize("states", [["IDLE", "DOWN+NOT_RESPONDING"], ["IDLE", "IDLE*"], ["COMPLETING", "IDLE"], []])
async def test_the_wait_begins_anew_when_one_of_them_is_away(
    autojump_clock: trio.testing.MockClock, states: list[str]
) -> None:
    """Also where Slurm gave the job no such state: the node was seen away."""
    slurm = Canned(["IDLE", "IDLE"])
    nodes = nodes_of(slurm)
    assert not await back(nodes, were_lost=True)
    await trio.sleep(59 + ORPHANS_END_WITHIN)
    slurm.states = states
    assert not await back(nodes, were_lost=True)
    slurm.states = ["IDLE", "IDLE"]
    await trio.sleep(2)
    assert not await back(nodes, were_lost=False)
    await trio.sleep(61 + ORPHANS_END_WITHIN)
    assert await back(nodes, were_lost=False)


async def test_nodes_that_cannot_be_asked_about_are_not_back(autojump_clock: trio.testing.MockClock) -> None:
    slurm = Canned(["IDLE"], failing=True)
    assert not await back(nodes_of(slurm), were_lost=False)
    assert not await back(nodes_of(slurm), were_lost=False, nodes=None)
