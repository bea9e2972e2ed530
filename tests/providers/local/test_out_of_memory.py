"""A program that the kernel ends for want of memory says so: shown by a kernel that does it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.jobs.records import Phase
from tests.providers.local.stage import Stage

ROOT = Path("/sys/fs/cgroup/memory")
LIMIT = 150 << 20
GREEDY = "data = bytearray(600 << 20)\nfor at in range(0, len(data), 4096): data[at] = 1"


@contextmanager
def little_memory() -> Iterator[None]:
    """What is started inside has a control group of its own with little memory."""
    before = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line)
    home = ROOT / before.split(":", 2)[2].lstrip("/")
    group = ROOT / f"greenroom-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        (home if home.exists() else ROOT).joinpath("cgroup.procs").write_text(str(os.getpid()))
        group.rmdir()


@pytest.mark.parts
@pytest.mark.skipif(
    not os.access(ROOT / "cgroup.procs", os.W_OK),
    reason="needs a memory control group (version 1) that may be written: run the tests as root on such a machine",
)
async def test_a_job_that_the_kernel_ends_for_want_of_memory_says_so(stage: Stage) -> None:
    """The job goes, not the process that runs its supervisor, which is in the same control group."""
    with little_memory():
        seen = await stage.ended(await stage.submit(sys.executable, "-c", GREEDY))
    assert seen.phase is Phase.FAILED
    assert seen.error == (
        "killed by signal 9 (SIGKILL): out of memory (the kernel ended it: its control group had none left)"
    )
