"""Output is read from a cursor that stays valid; an ended job's directory can be forgotten, a live one's never."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from actors.jobs.records import Phase
from actors.providers.base import ABSENT
from actors.providers.errors import Conflict, Invalid, ProviderError
from actors.providers.local.directory import JobDirectory, job_directories
from actors.providers.log_notices import LogNotice
from tests.providers.local.stage import Stage, is_alive, needs_cgroup, until


async def read(stage: Stage, key: str, cursor: str | None = None) -> tuple[bytes, str | None]:
    data = b""
    async for chunk in stage.provider.logs(key, {}, cursor):
        data, cursor = data + chunk.data, chunk.cursor
    return data, cursor


async def test_a_log_is_followed_from_its_cursor(stage: Stage) -> None:
    """While it grows and after the end: no byte twice, none left out."""
    script = "echo one; touch ready; until [ -e go ]; do sleep 0.01; done; echo two >&2"
    ready = await stage.wrote(key := await stage.shell(script), "ready")
    await stage.logged(key, "one\n")
    data, cursor = await read(stage, key)
    assert (data, cursor) == (b"one\n", "4")
    assert await read(stage, key, cursor) == (b"", "4")
    ready.with_name("go").touch()
    await stage.ended(key)
    assert await read(stage, key, cursor) == (b"two\n", "8")
    assert await read(stage, key) == (b"one\ntwo\n", "8")


async def test_a_long_log_comes_in_pieces(stage: Stage) -> None:
    await stage.ended(key := await stage.shell("head -c 200000 /dev/zero"))
    sizes = [len(chunk.data) async for chunk in stage.provider.logs(key, {})]
    assert (len(sizes), sum(sizes)) == (4, 200_000)


async def test_without_a_log_there_is_nothing_to_read(stage: Stage) -> None:
    assert await read(stage, "none") == (b"", None)


@pytest.mark.parametrize("cursor", ["", "-1", "1.5", "x", "9" * 20])
async def test_a_cursor_that_was_never_given_is_refused(stage: Stage, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        await read(stage, "none", cursor)


async def test_an_ended_job_is_forgotten(stage: Stage) -> None:
    """Nothing of it is left, and its key is free."""
    await stage.ended(key := await stage.submit("true"))
    await stage.provider.forget(key, {})
    await stage.provider.forget(key, {})
    assert await stage.provider.find(key, "token") is ABSENT
    assert list((stage.root / "jobs").iterdir()) == []


async def test_a_live_job_is_not_forgotten(stage: Stage) -> None:
    await stage.wrote(key := await stage.shell("touch ready; exec sleep 1000"), "ready")
    with pytest.raises(Conflict, match="still running"):
        await stage.provider.forget(key, {})
    assert (await stage.observe(key)).phase is Phase.RUNNING


@needs_cgroup
async def test_forgetting_a_lost_job_ends_what_is_left_of_it(stage: Stage) -> None:
    await stage.wrote(key := await stage.shell("sleep 1000 & echo $! > pid; touch ready; wait"), "ready")
    pid = int((stage.directory(key).work / "pid").read_text())
    shim = (await stage.started(key))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    await stage.provider.forget(key, {})
    assert not is_alive(pid)
    assert not stage.directory(key).path.exists()


async def test_forgetting_a_job_that_never_started_keeps_it_from_starting(stage: Stage) -> None:
    """A shim that is on its way finds the end written down, or nothing at all."""
    stage.provider  # noqa: B018 - makes the folders
    directory = stage.directory("left")
    directory.place({"argv": ["true"], "cwd": "/", "env": {}, "gpus": 0, "grace_seconds": 1})
    await stage.provider.forget("left", {})
    await stage.run_shim(directory)
    assert not directory.path.exists()


async def test_a_removal_that_was_interrupted_is_finished(stage: Stage) -> None:
    """The name goes first: half a directory is never taken for a job."""
    await stage.ended(key := await stage.submit("true"))
    directory = stage.directory(key)
    grave = directory.path.rename(directory.path.with_name(f".removed-{key}-0"))
    assert list(job_directories(stage.root / "jobs")) == []
    assert not grave.exists()


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", ".hidden", "x" * 201, "a\0b", "a b"])
def test_a_key_that_could_leave_the_folder_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(Invalid, match="submission key"):
        JobDirectory.of(tmp_path, key)


async def test_a_reader_of_an_output_that_became_shorter_is_told_and_goes_on(stage: Stage) -> None:
    """From the new end: what was written before it is not told twice."""
    script = "echo one two three; touch ready; until [ -e go ]; do sleep 0.01; done; echo four"
    ready = await stage.wrote(key := await stage.shell(script), "ready")
    await stage.logged(key, "three\n")
    _, cursor = await read(stage, key)
    os.truncate(stage.directory(key).log, 4)
    chunks = [chunk async for chunk in stage.provider.logs(key, {}, cursor)]
    assert [(type(chunk.data), chunk.cursor) for chunk in chunks] == [(LogNotice, "4")]
    assert b"became shorter: it had at least 14 bytes and has 4 now" in chunks[0].data
    ready.with_name("go").touch()
    await stage.ended(key)
    assert await read(stage, key, "4") == (b"four\n", "9")


@pytest.mark.parametrize("thing", ["pipe", "link", "directory"])
async def test_an_output_that_is_no_file_is_not_read_and_says_what_it_is(stage: Stage, thing: str) -> None:
    await stage.ended(key := await stage.submit("true"))
    log = stage.directory(key).log
    log.unlink()
    {"pipe": lambda: os.mkfifo(log), "link": lambda: log.symlink_to("/etc/passwd"), "directory": log.mkdir}[thing]()
    with pytest.raises(ProviderError, match=f"the output of job {key} cannot be read: log is a {thing}"):
        await read(stage, key)
