"""The zygote of a stage, and jobs that show that they ran once."""

from __future__ import annotations

from actors.jobs.records import Phase
from tests.providers.local.stage import Stage, ready_zygote

WAITS = "touch ready; until [ -e go ]; do sleep 0.01; done"
ONCE = "echo run >> ../output/runs"


def pid_of(stage: Stage) -> int:
    return ready_zygote(stage.provider)


async def runs_once(stage: Stage, key: str) -> None:
    assert (await stage.ended(key)).phase is Phase.SUCCEEDED
    assert (stage.directory(key).output / "runs").read_text() == "run\n"
