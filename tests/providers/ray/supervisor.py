"""A supervisor beside a Ray head: ``python -m tests.providers.ray.supervisor STATE_DIR ADDRESS KILL COMMAND...``.

It submits one job, under the same idempotency key at every start, and ends when the job has ended, printing its status.
With ``KILL`` 1 it sends itself SIGKILL when Ray has answered the submission and nothing of the answer is stored.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.jobs.options import PollerOptions
from actors.jobs.records import JobRequest
from actors.ledger import Ledger
from actors.providers.ray import RayOptions
from actors.runtime import open_runtime
from actors.settings import Settings
from actors.settings.model import ProviderSettings


def settings_of(state_dir: Path, address: str) -> Settings:
    """The settings of every supervisor in these tests."""
    providers = {"cluster": ProviderSettings("cluster", "ray", RayOptions(address, cpus=2, cwd="none"))}
    settings = Settings.default(state_dir, environ={})
    return attrs.evolve(settings, providers=providers, poller=PollerOptions(interval_seconds=1.0))


async def _die(*_answer: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    await trio.sleep_forever()


async def main(state_dir: Path, address: str, command: tuple[str, ...]) -> None:
    """Submit, or find again, and stay until the end."""
    request = JobRequest(
        provider="cluster", command=command, user_id="ana", idempotency_key="the-job", inherited_env={}
    )
    async with open_runtime(settings_of(state_dir, address)) as runtime:
        (accepted,) = await runtime.submit_many([request])
        job = await runtime.wait(accepted.job.job_id)
        print(job.status.value)


if __name__ == "__main__":
    if sys.argv[3] == "1":
        Ledger.handed_over = _die  # type: ignore[method-assign,assignment]
    trio.run(main, Path(sys.argv[1]), sys.argv[2], tuple(sys.argv[4:]))
