"""A program that the kernel ends for want of memory says so: shown by a kernel that does it."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.providers.local.stage import PATIENCE, until

ROOT = Path("/sys/fs/cgroup/memory")
LIMIT = 300 << 20


@asynccontextmanager
async def little_memory() -> AsyncIterator[Path]:
    """A control group with little memory, empty when the block is left."""
    group = ROOT / f"greenroom-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
        yield group
    finally:
        with trio.CancelScope(shield=True):
            await until(lambda: not (group / "cgroup.procs").read_text())  # the shim goes a moment after its record
        group.rmdir()


@pytest.mark.parts
@pytest.mark.skipif(
    not os.access(ROOT / "cgroup.procs", os.W_OK),
    reason="needs a memory control group (version 1) that may be written: run the tests as root on such a machine",
)
async def test_a_job_that_the_kernel_ends_for_want_of_memory_says_so(tmp_path: Path) -> None:
    """The job goes, not the process that runs its supervisor, which is in the same control group."""
    async with little_memory() as group:
        argv = [sys.executable, "-m", "tests.providers.local.with_little_memory", str(tmp_path), str(group)]
        with trio.fail_after(PATIENCE):
            done = await trio.run_process(argv, cwd=Path(__file__).parents[3], capture_stdout=True)
    assert done.stdout.decode().splitlines() == [
        "failed",
        "killed by signal 9 (SIGKILL): out of memory (the kernel ended it: its control group had none left)",
    ]
