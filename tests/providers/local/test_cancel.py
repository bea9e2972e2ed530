"""A cancel is an intent on disk, then signals; only an observation is an end. A deadline goes the same way."""

from __future__ import annotations

import os
import signal

import attrs
import trio

from actors.jobs.records import Phase
from actors.providers.base import CancelAck
from tests.providers.local.stage import PATIENCE, Stage, exists, is_alive, until

SLEEPER = "touch ready; exec sleep 1000"


async def test_a_cancelled_job_is_canceled(stage: Stage) -> None:
    """It is STOPPING for as long as its processes take to end."""
    stage.options = attrs.evolve(stage.options, grace_seconds=PATIENCE)
    stays = "trap 'touch asked' TERM; touch ready; while :; do sleep 0.02; done"
    await stage.wrote(key := await stage.shell(stays), "ready")
    assert await stage.provider.cancel(key, {}) is CancelAck.ACCEPTED
    assert (await stage.observe(key)).phase is Phase.STOPPING
    await stage.wrote(key, "asked")
    os.kill((await stage.started(key))["child"], signal.SIGKILL)  # as the end of the grace time would
    seen = await stage.ended(key)
    assert (seen.phase, seen.signal, seen.error, seen.proven_dead) == (Phase.CANCELED, signal.SIGKILL, None, True)


async def test_sigterm_comes_first(stage: Stage) -> None:
    """A job may write its checkpoint; even when it then exits with 0 it is canceled, since that was the intent."""
    script = "trap 'echo saved; exit 0' TERM; touch ready; while :; do sleep 0.01; done"
    await stage.wrote(key := await stage.shell(script), "ready")
    await stage.provider.cancel(key, {})
    seen = await stage.ended(key)
    assert (seen.phase, seen.exit_code, stage.log(key).splitlines()[-1]) == (Phase.CANCELED, 0, "saved")


async def test_a_job_that_ignores_sigterm_goes_with_all_its_processes(stage: Stage) -> None:
    """The shell, its child, and a daemon that left the group and the session."""
    script = """
        trap '' TERM
        setsid sh -c 'trap "" TERM; echo $$ > daemon; mv daemon daemon.pid; sleep 1000' &
        sh -c 'trap "" TERM; sleep 1000 & echo $! > child; mv child child.pid; wait' &
        echo $$ > own; mv own own.pid; wait; sleep 1000
    """
    key = await stage.shell(script)
    pids = [int((await stage.wrote(key, name)).read_text()) for name in ("daemon.pid", "child.pid", "own.pid")]
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert not [pid for pid in pids if is_alive(pid)]


async def test_a_stopped_job_can_be_cancelled(stage: Stage) -> None:
    """SIGSTOP would keep SIGTERM waiting; the job is woken for it."""
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000"), "ready")
    child = (await stage.started(key))["child"]
    os.kill(child, signal.SIGSTOP)
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).signal == signal.SIGTERM


async def test_a_cancel_may_be_repeated(stage: Stage) -> None:
    await stage.wrote(key := await stage.shell(SLEEPER), "ready")
    acks = [await stage.provider.cancel(key, {}) for _ in range(3)]
    assert acks[0] is CancelAck.ACCEPTED
    assert set(acks) <= {CancelAck.ACCEPTED, CancelAck.ALREADY_TERMINAL}
    assert (await stage.ended(key)).phase is Phase.CANCELED
    assert await stage.provider.cancel(key, {}) is CancelAck.ALREADY_TERMINAL


async def test_a_cancel_after_the_end_changes_nothing(stage: Stage) -> None:
    await stage.ended(key := await stage.submit("true"))
    assert await stage.provider.cancel(key, {}) is CancelAck.ALREADY_TERMINAL
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert await stage.provider.cancel("none", {}) is CancelAck.UNKNOWN_JOB


async def test_a_cancel_at_once_finds_the_shim_while_it_starts(stage: Stage) -> None:
    """The signal waits for the interpreter to be there, and the intent for the shim: neither is lost."""
    key = await stage.shell("touch ran; exec sleep 1000")
    assert await stage.provider.cancel(key, {}) is CancelAck.ACCEPTED
    assert (await stage.ended(key)).phase is Phase.CANCELED


async def test_an_intent_is_obeyed_without_any_signal(stage: Stage) -> None:
    """Whoever wrote it found no process to signal: a shim that comes later runs nothing."""
    provider = stage.provider
    directory = stage.directory("late")
    directory.place({"argv": ["touch", "ran"], "cwd": str(directory.work), "env": {}, "gpus": 0, "grace_seconds": 1})
    assert await provider.cancel("late", {}) is CancelAck.ACCEPTED
    assert (await stage.observe("late")).phase is Phase.CANCELED
    await stage.run_shim(directory)
    assert (await stage.observe("late")).phase is Phase.CANCELED
    assert not (directory.work / "ran").exists()


async def test_a_signal_without_an_intent_is_no_cancel(stage: Stage) -> None:
    """Somebody stops the shim by hand, or the machine shuts down: the job has failed, and says by what."""
    await stage.wrote(key := await stage.shell(SLEEPER), "ready")
    os.kill((await stage.started(key))["shim"], signal.SIGTERM)
    seen = await stage.ended(key)
    assert seen.phase is Phase.FAILED
    assert seen.interrupted == "its shim was asked to stop (SIGTERM), but nobody requested a cancel"
    assert (
        seen.error
        == "killed by signal 15 (SIGTERM): its shim was asked to stop (SIGTERM), but nobody requested a cancel"
    )


async def test_a_job_past_its_deadline_has_timed_out(stage: Stage) -> None:
    """The shim keeps the deadline, so it holds without a supervisor."""
    seen = await stage.ended(await stage.submit("sleep", "1000", max_runtime=0.05))
    assert seen.phase is Phase.TIMED_OUT
    assert seen.error == "deadline exceeded: it ran longer than 0.05 s"


async def test_what_a_job_leaves_running_ends_with_it(stage: Stage) -> None:
    """A background process would use what the next job was promised."""
    script = "sleep 1000 & echo $! > pid; setsid sleep 1000 & echo $! >> pid; exit 0"
    seen = await stage.ended(key := await stage.shell(script))
    assert (seen.phase, seen.exit_code) == (Phase.SUCCEEDED, 0)
    pids = [int(line) for line in (stage.directory(key).work / "pid").read_text().split()]
    assert not [pid for pid in pids if is_alive(pid)]


async def test_orphans_of_a_running_job_are_reaped(stage: Stage) -> None:
    """They fall to the shim, which does not let them pile up."""
    key = await stage.shell("(sh -c 'echo $$ > orphan; mv orphan pid' &) ; touch ready; exec sleep 1000")
    pid = int((await stage.wrote(key, "pid")).read_text())
    await until(lambda: not exists(pid))
    assert (await stage.observe(key)).phase is Phase.RUNNING


async def test_a_shim_that_its_job_has_stopped_obeys(stage: Stage) -> None:
    key = await stage.shell("kill -STOP $PPID; touch stopped; exec sleep 1000")
    await stage.wrote(key, "stopped")
    await stage.provider.cancel(key, {})
    assert (await stage.ended(key)).phase is Phase.CANCELED


async def test_a_shim_that_its_job_has_stopped_keeps_the_time(stage: Stage) -> None:
    """The watch lets it go on, so that the deadline holds."""
    key = await stage.shell("kill -STOP $PPID; touch stopped; exec sleep 1000", max_runtime=3)
    await stage.wrote(key, "stopped")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.provider.watch, lambda key: None)
        assert (await stage.ended(key)).phase is Phase.TIMED_OUT
        nursery.cancel_scope.cancel()
