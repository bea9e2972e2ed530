"""Jobs whose shim was killed while a process of theirs runs on, with none of the marks by which one is known."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from actors.jobs.records import Resources
from tests.providers.local.stage import Stage, is_alive, until

ONE = Resources(gpus=1)
SHEDDING = "setsid env -i sleep 1000 & echo $! > pid; mv pid shed; wait"
"""What runs on has none of the marks by which a process is known: no environment, no group, no session of the job's."""


async def shed(stage: Stage, **more: Any) -> tuple[str, int]:
    """A job that holds the device, whose shim was killed; its key, and the process that runs on."""
    key = await stage.shell(SHEDDING, resources=ONE, **more)
    survivor = int((await stage.wrote(key, "shed")).read_text())
    shim = (await stage.started(key))["shim"]
    os.kill(shim, signal.SIGKILL)
    await until(lambda: not is_alive(shim))
    return key, survivor


@contextmanager
def ended_at_last(pid: int) -> Iterator[None]:
    """The process ends with the block, if not before."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
