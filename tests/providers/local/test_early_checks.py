"""What can be seen not to run is found before its job is accepted, and nothing waits for a file system that hangs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from actors.jobs.records import Capacity, JobRequest, Resources
from actors.providers.disk_threads import MOST_THREADS
from actors.providers.entry_points import EntryPoint
from actors.providers.local import early_checks
from actors.providers.local.capacity import memory_here
from actors.providers.local.early_checks import EarlyChecks, Place

MACHINE = Capacity(cpus=2, gpus=1, memory=2**30)


async def faults(*requests: JobRequest, **entry_points: EntryPoint) -> list[list[str]]:
    found = await EarlyChecks(entry_points, MACHINE).faults(requests)
    assert all(fault.sure for one in found for fault in one)
    return [[fault.message for fault in one] for one in found]


async def fault(*command: str, cwd: Path | str | None = None, path: str = "/usr/bin:/bin", **more: Any) -> str:
    asked = JobRequest(command=command, cwd=None if cwd is None else str(cwd), inherited_env={"PATH": path}, **more)
    ((*found,),) = await faults(asked)
    return "; ".join(found)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "train"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


async def test_the_directory_must_be_there(tmp_path: Path, program: Path) -> None:
    assert await fault("true", cwd=tmp_path) == ""
    assert await fault("true") == ""  # in a directory of its own
    expected = f"cwd: '{tmp_path}/gone' does not exist on this machine; make it, or name another directory"
    assert await fault("true", cwd=tmp_path / "gone") == expected
    assert await fault("true", cwd=program) == f"cwd: '{program}' is not a directory; name one"
    assert "does not exist" in await fault("true", cwd=program / "below")
    assert "File name too long" in await fault("true", cwd="/" + "x" * 300)


async def test_the_program_is_found_as_the_job_will_find_it(tmp_path: Path, program: Path) -> None:
    assert await fault(str(program), cwd=tmp_path) == ""
    assert await fault("./train", cwd=tmp_path) == ""
    assert await fault("train", cwd=tmp_path, path=f"/nowhere:{tmp_path}") == ""
    assert await fault("train", cwd=tmp_path, path="") == ""  # an empty part of PATH is the directory itself
    assert await fault("train", cwd=tmp_path, env={"PATH": str(tmp_path)}) == ""  # what env says wins
    expected = (
        "command: 'train' is not found in the job's PATH ('/usr/bin:/bin'); give its whole path, or set PATH with env"
    )
    assert await fault("train", cwd=tmp_path) == expected
    assert "'./gone' does not exist on this machine; correct the path" in await fault("./gone", cwd=tmp_path)
    assert "give cwd, or the whole path" in await fault("./train")
    assert "is not a file; name a program" in await fault(str(tmp_path))


async def test_a_file_without_the_right_to_run_says_how_to_get_it(tmp_path: Path, program: Path) -> None:
    os.chmod(program, 0o644)  # noqa: PTH101 - the file is this test's own
    assert "is not executable; chmod +x it, or name its interpreter first" in await fault(str(program))
    assert f"is found as '{program}', which is not executable; chmod +x it" in await fault("train", path=str(tmp_path))


async def test_bytes_that_are_not_utf8_are_looked_up_as_they_are(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)  # noqa: PTH102 - bytes
    assert await fault("true", cwd=f"{tmp_path}/\udcff") == ""
    assert await fault("true", cwd=f"{tmp_path}/\udcfe") == (
        f"cwd: '{tmp_path}/\\xfe' does not exist on this machine; make it, or name another directory"
    )


async def test_needs_that_this_machine_can_never_meet_are_seen() -> None:
    asked = [
        JobRequest(command=("true",), inherited_env={"PATH": "/bin"}, resources=resources)
        for resources in (Resources(), Resources(memory=2**30), Resources(memory=2**31), Resources(gpus=2))
    ]
    assert await faults(*asked) == [
        [], [],
        ["resources: this machine has 1 GiB of memory in all, the job needs 2 GiB of memory; ask for less"],
        ["resources: this machine has 1 GPU in all, the job needs 2 GPUs; ask for less"],
    ]  # fmt: skip


async def test_an_entry_point_is_checked_as_the_configuration_has_it() -> None:
    train = EntryPoint(("no-such-program",), cwd="/nowhere")
    asked = JobRequest(entry_point="train", inherited_env={"PATH": "/bin"})
    assert "cwd: '/nowhere' does not exist" in (await faults(asked, train=train))[0][0]
    train = EntryPoint(("no-such-program",))
    assert (await faults(asked, train=train))[0][0].startswith("entry_point: 'no-such-program' is not found")


async def test_what_is_missing_may_be_made_by_the_jobs_that_one_waits_for() -> None:
    """Then it is a warning; what does not fit is refused all the same."""
    asked = JobRequest(command=("true",), cwd="/nowhere", after=("a",), inherited_env={}, resources=Resources(gpus=9))
    ((misfit, missing),) = await EarlyChecks({}, MACHINE).faults([asked])
    assert (misfit.field, misfit.sure, missing.field, missing.sure) == ("resources", True, "cwd", False)


async def test_many_requests_for_one_place_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Place] = []
    monkeypatch.setattr(early_checks, "look", looked.append)
    asked = [JobRequest(command=("true", str(index)), cwd="/", inherited_env={}) for index in range(1000)]
    asked += [JobRequest(command=("true",), cwd=f"/{index % 300}", inherited_env={}) for index in range(1000)]
    assert await EarlyChecks({}, MACHINE).faults(asked) == [()] * 2000
    assert len(looked) == 301


class Hanging:
    """A file system that does not answer about directories below ``/nfs`` until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.free = threading.Event()
        self.looked: list[str | None] = []

    def look(self, place: Place) -> None:
        self.looked.append(place.cwd)
        if str(place.cwd).startswith("/nfs"):
            self.reached.release()
            self.free.wait()


async def test_a_file_system_that_hangs_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, mock_clock: trio.testing.MockClock
) -> None:
    """After its time a request is accepted unchecked; the same place is not asked again before its thread is back."""
    remote = Hanging()
    monkeypatch.setattr(early_checks, "look", remote.look)
    checks = EarlyChecks({}, MACHINE)
    answers: list[Any] = []

    async def ask(*folders: str) -> None:
        asked = [JobRequest(command=("run",), cwd=folder, inherited_env={}) for folder in folders]
        answers.append([[(one.sure, one.message) for one in each] for each in await checks.faults(asked)])

    unsure = [(False, "'run' in '/nfs/a' was not checked: the file system did not answer")]
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "/ok", "/nfs/a", "/also")
            await trio.to_thread.run_sync(remote.reached.acquire)
            await ask("/ok")  # meanwhile others are served
            assert answers.pop() == [[]]
            mock_clock.jump(early_checks.SECONDS)
        assert answers.pop() == [[], unsure, []]
        await ask("/nfs/a")  # at once: no further thread is given to it
        assert answers.pop() == [unsure]
        assert remote.looked.count("/nfs/a") == 1
        for number in range(1, MOST_THREADS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, f"/nfs/{number}")
                await trio.to_thread.run_sync(remote.reached.acquire)
                mock_clock.jump(early_checks.SECONDS)
        answers.clear()
        await ask("/ok")  # at once as well: every thread of these checks hangs
        assert [sure for ((sure, _),) in answers.pop()] == [False]
    finally:
        remote.free.set()
    while checks._hanging:  # its thread comes back
        await trio.to_thread.run_sync(threading.Event().wait, 0.001)
    await ask("/nfs/a")
    assert answers.pop() == [[]]


def test_memory_is_what_the_machine_or_a_control_group_has(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       1000 kB\nMemFree: 1 kB\n")
    assert memory_here(tmp_path) == 1_024_000
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    assert memory_here(tmp_path, group) == 1_024_000
    (group.parent / "memory.max").write_text("4096\n")
    assert memory_here(tmp_path, group) == 4096
    assert memory_here(tmp_path / "gone") is None
