"""A job that forges, moves or removes its own records and kills its shim keeps its device while a process of it lives.

The process has none of the marks by which one is known, and another supervisor on the same folder looks at it: nothing
is left but what the shim has noted beside the directory, and the control group where there is one.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio

from actors.jobs.records import Phase
from actors.providers.errors import Conflict, Unavailable
from actors.providers.local import LocalOptions, lost_jobs
from actors.providers.local.directory import REMOVED, job_directories, opened_folder
from actors.providers.local.jobs import LocalJobs
from actors.providers.local.shim.job import Note
from actors.providers.local.watch import sign_of
from tests.providers.local.shedding import ONE, ended_at_last
from tests.providers.local.stage import ONE_DEVICE, Stage, is_alive, needs_cgroup, until

pytestmark = pytest.mark.parts

SHED = """
setsid env -i sleep 1000 >/dev/null 2>&1 &
echo $! > $AT/pid; mv $AT/pid $AT/shed
until [ -e $AT/go ]; do sleep 0.02; done
D=$(dirname "$GREENROOM_OUTPUT_DIR"); cd /
%s
touch $AT/forged; kill -9 $PPID; wait
"""
FORGERIES = {
    "another boot": """sed -i 's/"boot_id": "[^"]*"/"boot_id": "another"/' $D/run.json""",
    "another group": """sed -i 's/"cgroup": .*/"cgroup": null}/' $D/run.json""",
    "other processes": """sed -i 's/"child": [0-9]*/"child": 1/; s/"shim": [0-9]*/"shim": 1/' $D/run.json""",
    "no record": "echo nonsense > $D/run.json",
    "an end": """echo '{"code": 0, "ended_at": 1790000000}' > $D/exit.json""",
    "removed": "rm -rf $D",
    "moved": "mv $D $AT/elsewhere",
    "exchanged": """mv $D $AT/elsewhere; mkdir $D; echo '{"code": 0}' > $D/exit.json; echo '{}' > $D/spec.json""",
    "never there": "rm -rf $(dirname $D)/.started-* $D",
}


@pytest.fixture
def options() -> LocalOptions:
    """A machine with one device."""
    return ONE_DEVICE


async def forged(stage: Stage, script: str) -> int:
    """A job ``it`` that holds the device and has lost its shim by its own hand; the process that runs on."""
    at = trio.Path(stage.root.parent)
    await stage.shell(SHED % script, key="it", env={"AT": str(at)}, resources=ONE)
    await until((stage.root.parent / "shed").exists)
    survivor = int(await (at / "shed").read_text())
    shim = (await stage.started("it"))["shim"]
    await (at / "go").touch()
    await until((stage.root.parent / "forged").exists)
    await until(lambda: not is_alive(shim))
    return survivor


@pytest.mark.parametrize("what", [name for name in FORGERIES if name != "never there"])
async def test_without_a_proof_no_forgery_frees_the_device(
    stage: Stage, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_jobs, "cgroup_parent", lambda: None)
    with ended_at_last(await forged(stage, FORGERIES[what])):
        for provider in (stage.provider, stage.another()):
            list(job_directories(stage.root / "jobs"))  # as each start of a supervisor does
            with pytest.raises(Unavailable, match="0 are free"):
                await stage.hand_over("next", "true", by=provider, resources=ONE)
            seen = await stage.observe("it", by=provider)
            assert (seen.phase, seen.proven_dead) == (Phase.LOST, False)
            with pytest.raises(Conflict):
                await provider.forget("it", {})
    await stage.provider.settled("it")  # a person has looked
    assert (await stage.observe("it", by=stage.another())).proven_dead
    await stage.ended(await stage.shell("true", resources=ONE))


async def test_who_started_the_shim_remembers_a_job_that_removed_all_that_is_said_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_jobs, "cgroup_parent", lambda: None)
    with ended_at_last(await forged(stage, FORGERIES["never there"])):
        with pytest.raises(Unavailable, match="0 are free"):
            await stage.hand_over("next", "true", resources=ONE)
        seen = await stage.observe("it")
        assert (seen.phase, seen.proven_dead) == (Phase.LOST, False)
        assert "its own directory" in (seen.error or "")


@needs_cgroup
@pytest.mark.parametrize("what", FORGERIES)
@pytest.mark.parametrize("restarted", [False, True])
async def test_a_control_group_ends_what_runs_whatever_was_forged(stage: Stage, what: str, restarted: bool) -> None:
    with ExitStack() as stack:
        stack.enter_context(ended_at_last(survivor := await forged(stage, FORGERIES[what])))
        provider = stage.another() if restarted else stage.provider
        await stage.hand_over("next", "true", by=provider, resources=ONE)
        assert not is_alive(survivor)
        if what != "never there":
            assert (await stage.observe("it", by=provider)).proven_dead


@pytest.mark.parametrize("move", ["rm -rf $D", "mv $D $D-elsewhere"])
@pytest.mark.parametrize("code", [0, 3])
async def test_a_job_that_takes_its_directory_away_has_its_end_all_the_same(stage: Stage, move: str, code: int) -> None:
    go = stage.root.parent / "go"  # until it is handed over: before that nobody would know whether it was
    wait = f"until [ -e {go} ]; do sleep 0.02; done"
    script = f'D=$(dirname "$GREENROOM_OUTPUT_DIR"); cd /; {wait}; {move}; exit {code}'
    key = await stage.shell(script, resources=ONE)
    go.touch()
    seen = await stage.ended(key)
    assert (seen.phase, seen.exit_code, seen.proven_dead) == (
        Phase.FAILED if code else Phase.SUCCEEDED,
        code,
        True,
    )
    assert (await stage.observe(key, by=stage.another())).exit_code == code
    assert LocalJobs(stage.root, LocalOptions(), ()).unended() == []  # a watch has nothing to wait for
    await stage.ended(await stage.shell("true", resources=ONE))
    await stage.provider.forget(key, {})
    assert (await stage.provider.observe_many({key: {}})).absent == {key}


async def test_a_job_that_takes_its_directory_away_is_looked_at_as_seldom_as_others(stage: Stage) -> None:
    """Not as one that is just being started, for which all are looked at more often."""
    key = await stage.shell("touch ready; exec sleep 1000")
    await stage.wrote(key, "ready")
    directory = stage.directory(key)
    directory.path.rename(stage.root.parent / "moved")
    assert sign_of(directory).started


async def test_a_removal_that_was_interrupted_leaves_no_job_behind(stage: Stage) -> None:
    """Killed between the directory's new name and the note's removal: it was we who removed it, and not the job."""
    await stage.ended(key := await stage.shell("true"))
    directory = stage.directory(key)
    directory.path.rename(directory.path.with_name(f"{REMOVED}{key}-0123abcd"))
    assert list(job_directories(stage.root / "jobs")) == []
    assert list((stage.root / "jobs").iterdir()) == []


def test_half_a_note_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full the program is not let go, and nothing says that it was."""
    write = os.write
    with opened_folder(tmp_path) as beside:
        note = Note(beside, ".started-it")
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
            with pytest.raises(OSError, match="no space"):
                note.begin({"shim": 1})
        assert not note.is_there()
        note.end(b"{}")
        assert list(tmp_path.iterdir()) == []
