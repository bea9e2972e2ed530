"""A job whose shim was killed is over only where that is proven; until then it is uncertain and keeps its devices."""

from __future__ import annotations

import json

import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.base import LostJobProof
from actors.providers.errors import Conflict, Unavailable
from actors.providers.local import LocalOptions
from actors.providers.local.directory import write_durably
from tests.providers.local.shedding import ONE, ended_at_last, shed
from tests.providers.local.stage import ONE_DEVICE, Stage, is_alive, until

pytestmark = pytest.mark.parts


@pytest.fixture
def options() -> LocalOptions:
    """A machine with one device."""
    return ONE_DEVICE


async def test_without_any_proof_a_lost_job_keeps_its_device_over_restarts(stage: Stage, no_cgroup: None) -> None:
    """What runs on was never ours to see, and it may end without our knowing: only a person can tell."""
    key, survivor = await shed(stage)
    assert stage.provider.capabilities.lost_job_proof is LostJobProof.NONE
    with ended_at_last(survivor):
        for provider in (stage.provider, stage.another()):
            seen = await stage.observe(key, by=provider)
            assert (seen.phase, seen.proven_dead, is_alive(survivor)) == (Phase.LOST, False, True)
            assert seen.error is not None
            assert seen.error.endswith("nothing here can prove that no process of it is left (greenroom doctor)")
            with pytest.raises(Unavailable, match="1 GPUs are requested and 0 are free"):
                await stage.hand_over("next", "true", resources=ONE, by=provider)
            with pytest.raises(Conflict):
                await provider.forget(key, {})
    await until(lambda: not is_alive(survivor))
    assert not (await stage.observe(key)).proven_dead


async def test_a_person_can_settle_it(stage: Stage, no_cgroup: None) -> None:
    """The device is free, for the next supervisor too, and the job can be removed."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        assert not (await stage.observe(key)).proven_dead
    await stage.provider.settled(key)
    for provider in (stage.provider, stage.another()):
        assert (await stage.observe(key, by=provider)).proven_dead
    await stage.ended(other := await stage.shell("echo $CUDA_VISIBLE_DEVICES", resources=ONE))
    assert stage.log(other) == "GPU-a\n"
    await stage.provider.forget(key, {})
    assert not stage.directory(key).path.exists()
    assert list((stage.root / "gone").iterdir()) == []


async def test_a_verdict_is_of_one_run(stage: Stage, no_cgroup: None) -> None:
    """The next job of the same key, after somebody removed the directory by hand, is not over with the first."""
    key, survivor = await shed(stage)
    with ended_at_last(survivor):
        await stage.provider.settled(key)
        assert (await stage.observe(key)).proven_dead
        run = json.loads(await trio.Path(stage.directory(key).started).read_text())
        write_durably(stage.directory(key).started, {**run, "shim_ticks": run["shim_ticks"] + 1})
        assert not (await stage.observe(key)).proven_dead


async def test_a_job_that_runs_cannot_be_settled(stage: Stage, no_cgroup: None) -> None:
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000", resources=ONE), "ready")
    await stage.provider.settled(key)
    assert (await stage.observe(key)).phase is Phase.RUNNING
    with pytest.raises(Unavailable):
        await stage.hand_over("next", "true", resources=ONE)
