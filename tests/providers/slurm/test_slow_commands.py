"""Jobs that need commands of their own, many at once, on a Slurm whose commands are slow: each has its turn."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import trio
import trio.testing

from actors.jobs.ids import IdFactory, submission_key
from actors.providers.base import CallDeadlines, View
from actors.providers.shared_outputs import SharedOutputs
from actors.providers.slurm.commands import Answer, CommandTooSlow
from actors.providers.slurm.nodes import Nodes
from actors.providers.slurm.observing import Observer
from tests.providers.slurm.answers import NOW, Canned, finder_at, line

KEYS = [submission_key(IdFactory().new(NOW + timedelta(seconds=n)), 0) for n in range(1, 21)]


class Slow(Canned):
    async def run(self, program: str, *arguments: str, **options: Any) -> Answer:
        await trio.sleep(3)
        return await super().run(program, *arguments, **options)


def slurm_of(*nodes: str, state: str = "FAILED") -> Slow:
    """Each job has ended on the nodes of its place, which do not answer."""
    jobs = zip(KEYS, nodes, strict=False)
    shown = [line(number, state, key, nodes=on) for number, (key, on) in enumerate(jobs, 7)]
    return Slow(squeue="\n".join(shown), nodes="NodeName=n State=DOWN* Weight=1\n")


def observer_of(path: Path, slurm: Slow) -> Observer:
    finder, _ = finder_at(path, slurm)
    nodes = Nodes(finder._cluster)
    return Observer(finder._cluster, finder, SharedOutputs(path / "shared" / "jobs"), lambda: NOW, nodes)


async def look(observer: Observer, count: int) -> View:
    """One look, which ends in its time. A deadline around it would let the clock jump while a thread reads a file."""
    began = trio.current_time()
    view = await observer.observe({key: {"id": number} for number, key in enumerate(KEYS[:count], 7)})
    assert trio.current_time() - began < CallDeadlines().observe
    return view


async def test_a_look_ends_in_its_time_and_the_next_one_begins_with_the_jobs_put_off(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    observer = observer_of(tmp_path, slurm_of(*(f"n{number}" for number in range(20))))
    turns = Counter(dict.fromkeys(KEYS, 0))
    for _ in range(20):
        view = await look(observer, 20)
        assert view.observations.keys() | view.failed.keys() == set(KEYS)
        assert all("the next look begins with the jobs that this one put off" in why for why in view.failed.values())
        turns.update(view.observations.keys())
        assert max(turns.values()) - min(turns.values()) <= 2
    assert min(turns.values()) > 1


async def test_jobs_that_need_no_command_are_seen_in_every_look(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    slurm = slurm_of(*(f"n{number}" for number in range(20)))
    slurm.squeue = slurm.squeue.rsplit("\n", 1)[0] + "\n" + line(26, "PENDING", KEYS[-1])
    observer = observer_of(tmp_path, slurm)
    for _ in range(3):
        assert KEYS[-1] in (await look(observer, 20)).observations


async def test_nodes_of_several_jobs_are_asked_about_once_in_a_look(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    slurm = slurm_of(*["n[1-4]"] * 20, state="NODE_FAIL")
    view = await look(observer_of(tmp_path, slurm), 20)
    assert view.observations.keys() == set(KEYS)
    assert len([call for call in slurm.calls if "node" in call]) == 1


class Hanging(Canned):
    """Its ``scontrol show node`` of some nodes does not end by itself."""

    async def run(self, program: str, *arguments: str, **options: Any) -> Answer:
        if "node" in arguments:
            await trio.sleep(25)
            raise CommandTooSlow("scontrol did not end within 25 s")
        return await super().run(program, *arguments, **options)


async def test_a_command_that_hangs_costs_its_own_job_a_look_and_no_other_job(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    others = [line(8, "RUNNING", KEYS[1]), line(9, "FAILED", KEYS[2], nodes="")]
    slurm = Hanging(squeue="\n".join([line(7, "NODE_FAIL", KEYS[0], nodes="n7"), *others]))
    observer = observer_of(tmp_path, slurm)
    for _ in range(3):
        view = await look(observer, 3)
        assert view.observations.keys() == {KEYS[1], KEYS[2]}
        assert view.failed.keys() == {KEYS[0]}


async def test_nothing_is_remembered_of_jobs_that_were_seen_after_all(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    slurm = slurm_of(*(f"n{number}" for number in range(20)))
    observer = observer_of(tmp_path, slurm)
    await look(observer, 20)
    assert observer._put_off
    slurm.squeue = "\n".join(line(number, "COMPLETED", key) for number, key in enumerate(KEYS, 7))
    await look(observer, 20)
    assert observer._put_off == {}
