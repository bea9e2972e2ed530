"""The zygote of a stage, and jobs that show that they ran once."""

from __future__ import annotations

import os

from actors.jobs.records import Phase
from actors.providers.local.shim.system import children_of
from tests.providers.local.stage import Stage, is_alive, ready_zygote

WAITS = "touch ready; until [ -e go ]; do sleep 0.01; done"
ONCE = "echo run >> ../output/runs"


def pid_of(stage: Stage) -> int:
    return ready_zygote(stage.provider)


def living_children() -> set[int]:
    """Our children that run."""
    return {pid for pid in children_of(os.getpid()) if is_alive(pid)}


async def runs_once(stage: Stage, key: str) -> None:
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert (stage.directory(key).output / "runs").read_text() == "run\n"
