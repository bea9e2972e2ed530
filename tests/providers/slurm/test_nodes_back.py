"""When it is said that the nodes of a job are back: after a lost one, only when it has held for a while."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing

from actors.providers.slurm.cluster import ORPHANS_END_WITHIN, Cluster
from actors.providers.slurm.commands import Answer

CONFIG = "ClusterName = lab\nMinJobAge = 300 sec\nMessageTimeout = 10 sec\nKillWait = 30 sec\nSLURM_VERSION = 22.05.8\n"


@attrs.define
class Nodes:
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


async def back(nodes: Nodes, cluster: Cluster, *, were_lost: bool) -> bool:
    return await cluster.nodes_are_back(7, "n[1-2]", were_lost=were_lost)


def cluster_of(nodes: Nodes) -> Cluster:
    return Cluster("slurm", nodes)  # type: ignore[arg-type]


async def test_nodes_that_never_were_away_are_there_at_once(autojump_clock: trio.testing.MockClock) -> None:
    nodes = Nodes(["IDLE", "MIXED"])
    assert await back(nodes, cluster_of(nodes), were_lost=False)


async def test_a_lost_node_must_have_been_back_for_twice_kill_wait_and_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    nodes = Nodes(["IDLE", "IDLE"])
    cluster = cluster_of(nodes)
    assert not await back(nodes, cluster, were_lost=True)
    await trio.sleep(59 + ORPHANS_END_WITHIN)
    assert not await back(nodes, cluster, were_lost=True)
    await trio.sleep(2)
    assert await back(nodes, cluster, were_lost=True)


@pytest.mark.parametrize("states", [["IDLE", "DOWN+NOT_RESPONDING"], ["IDLE", "IDLE*"], ["COMPLETING", "IDLE"], []])
async def test_the_wait_begins_anew_when_one_of_them_is_away(
    autojump_clock: trio.testing.MockClock, states: list[str]
) -> None:
    """Also where Slurm gave the job no such state: the node was seen away."""
    nodes = Nodes(["IDLE", "IDLE"])
    cluster = cluster_of(nodes)
    assert not await back(nodes, cluster, were_lost=True)
    await trio.sleep(59 + ORPHANS_END_WITHIN)
    nodes.states = states
    assert not await back(nodes, cluster, were_lost=True)
    nodes.states = ["IDLE", "IDLE"]
    await trio.sleep(2)
    assert not await back(nodes, cluster, were_lost=False)
    await trio.sleep(61 + ORPHANS_END_WITHIN)
    assert await back(nodes, cluster, were_lost=False)


async def test_nodes_that_cannot_be_asked_about_are_not_back(autojump_clock: trio.testing.MockClock) -> None:
    nodes = Nodes(["IDLE"], failing=True)
    assert not await back(nodes, cluster_of(nodes), were_lost=False)
    assert not await cluster_of(nodes).nodes_are_back(7, None, were_lost=False)
