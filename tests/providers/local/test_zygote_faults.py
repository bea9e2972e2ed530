"""Whatever happens to the zygote from which shims are forked, each job runs once."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from actors.jobs.records import Phase
from actors.providers.errors import Unavailable
from actors.providers.local import zygote
from actors.providers.local.launching import SHIM
from tests.providers.local.stage import PATIENCE, Stage, is_alive, until
from tests.providers.local.zygotes import ONCE, WAITS, living_children, pid_of, runs_once


@pytest.mark.parts
async def test_a_zygote_ends_with_its_supervisor_killed_hard(stage: Stage) -> None:
    script = f"""
import os, signal, trio
from pathlib import Path
from tests.providers.local.stage import PATIENCE, Stage, ready_zygote
async def main():
    stage = Stage(Path({str(stage.root)!r}))
    print(ready_zygote(stage.provider), flush=True)
    await stage.wrote(await stage.shell({WAITS!r}, key="orphan"), "ready")
    os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""
    done = await trio.run_process([sys.executable, "-c", script], check=False, capture_stdout=True)
    assert done.returncode == -signal.SIGKILL
    await until(lambda: not is_alive(int(done.stdout)))
    (stage.directory("orphan").work / "go").touch()
    assert (await stage.ended("orphan")).phase is Phase.SUCCEEDED


STRANGE = """
import errno, os, signal, sys
sys.path.append({folder!r})
from shim import zygote
fork = zygote.clone
def stop(number):
    os.kill(os.getpid(), number)
def forked(number):
    pid, fd = fork(*asked)
    if pid:
        stop(number)
    return pid, fd
def clone(*arguments):
    global asked
    asked = arguments
    {what}
zygote.clone = clone
zygote.serve()
"""
FAULTS = {
    "killed before the fork": "stop(signal.SIGKILL)",
    "killed after the fork": "return forked(signal.SIGKILL)",
    "stopped before the fork": "stop(signal.SIGSTOP); return fork(*asked)",
    "stopped after the fork": "return forked(signal.SIGSTOP)",
    "forbidden to fork": "raise OSError(errno.EAGAIN, 'no')",
    "out of its mind": "raise ValueError",
}


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the zygotes that are started from now on do this where they fork."""

    def make(what: str) -> None:
        script = tmp_path / "strange.py"
        script.write_text(STRANGE.format(folder=str(SHIM.parents[1]), what=what))
        monkeypatch.setattr(zygote, "SHIM", script)
        if "SIGSTOP" in what:  # nobody answers; else an answer may take its time
            monkeypatch.setattr(zygote, "ANSWER_SECONDS", 0.5)

    monkeypatch.setattr(zygote, "ANSWER_SECONDS", PATIENCE)
    return make


@pytest.mark.parts
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_happens_to_the_zygote_where_it_forks_the_job_runs_once(
    stage: Stage, strange: Callable[[str], None], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And the zygote is gone after it, unless it has answered; the next job has no need of it."""
    strange(FAULTS[fault])
    pid, answers = pid_of(stage), fault == "forbidden to fork"
    await runs_once(stage, await stage.shell(ONCE))
    assert is_alive(pid) is answers
    assert bool([one for one in caplog.records if one.levelno == logging.WARNING]) is not answers
    await runs_once(stage, await stage.shell(ONCE))


@pytest.mark.parts
async def test_a_shim_whose_zygote_was_killed_before_it_answered_runs_no_job(
    stage: Stage, strange: Callable[[str], None]
) -> None:
    """So the one that does is known by its pid."""
    strange(FAULTS["killed after the fork"])
    pid_of(stage)
    others = living_children()
    ready = await stage.wrote(key := await stage.shell(WAITS), "ready")
    run = await stage.started(key)
    assert stage.provider._jobs.shims.started[key].pid == run["shim"]
    assert living_children() <= others | {run["shim"]}
    ready.with_name("go").touch()
    await stage.ended(key)


@pytest.mark.parts
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_idle_zygote_that_is_killed_or_stopped_is_replaced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(zygote, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(zygote, "PAUSE_SECONDS", 0.0)
    before = pid_of(stage)
    os.kill(before, number)
    await runs_once(stage, await stage.shell(ONCE))
    assert pid_of(stage) != before
    assert not is_alive(before)
    await runs_once(stage, await stage.shell(ONCE))


@pytest.mark.parts
async def test_a_zygote_that_has_ended_is_replaced_by_the_next_start(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is noticed when a shim is asked for, and the next zygote is started within the same start."""
    monkeypatch.setattr(zygote, "PAUSE_SECONDS", 0.0)
    before = pid_of(stage)
    os.kill(before, signal.SIGKILL)
    await until(lambda: not is_alive(before))
    with trio.fail_after(PATIENCE):
        await runs_once(stage, await stage.shell(ONCE))
    assert pid_of(stage) != before


@pytest.mark.parts
async def test_zygotes_killed_again_and_again_cost_no_job(stage: Stage) -> None:
    """At whatever moment that is: while the jobs are handed over, each zygote is killed as soon as it is there."""
    keys = [f"storm-{number}" for number in range(20)]

    async def submit() -> None:
        for key in keys:
            await stage.shell(ONCE, key=key)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(submit)
        while True:
            forking = stage.provider._jobs.shims._zygote
            if forking is not None and forking._ready and is_alive(forking._pid):
                with suppress(ProcessLookupError):
                    os.kill(forking._pid, signal.SIGKILL)
            await trio.lowlevel.checkpoint()
    for key in keys:
        await runs_once(stage, key)


async def test_a_job_whose_waiting_shim_was_killed_and_that_cannot_be_spawned_never_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, and not called lost afterwards."""

    def killed(forked: zygote.Forked, *_: object) -> bool:
        os.kill(forked.pid, signal.SIGKILL)
        forked._line.close()
        return False

    def full(*_: object) -> int:
        raise BlockingIOError("no process is free")

    pid_of(stage)
    monkeypatch.setattr(zygote.Forked, "command", killed)
    monkeypatch.setattr("actors.providers.local.shims.spawn", full)
    with pytest.raises(Unavailable):
        await stage.submit("true", key="never")
    assert (await stage.provider.observe_many({"never": {}})).absent == {"never"}
