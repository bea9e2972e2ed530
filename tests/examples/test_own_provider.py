"""examples/provider: the provider of docs/writing-a-provider.md conforms, and a runtime runs jobs with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from trio.testing import MockClock

from actors import JobRequest
from actors.kernel import VirtualClock
from actors.providers.registry import ProviderFactory
from actors.testing import running_runtime
from actors.testing.provider_promises import PROMISES

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "provider"


def test_its_own_test_passes_as_the_page_runs_it() -> None:
    path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "test_batch_provider.py"]
    done = subprocess.run(
        command, cwd=FOLDER, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(PROMISES)} passed" in done.stdout


async def test_a_runtime_runs_jobs_with_it(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from batch_provider import FACTORY, BatchOptions, BatchProvider
    from batch_service import SimulatedService

    assert isinstance(FACTORY, ProviderFactory)
    clock = VirtualClock()
    provider = BatchProvider(BatchOptions(slots=1), "batch", SimulatedService(clock.now))
    async with running_runtime(provider, clock=clock) as runtime:
        commands = [("sleep", "3600"), ("false",), ("sleep", "60")]
        jobs = [
            await runtime.submit(JobRequest(provider="batch", command=command, user_id="ana")) for command in commands
        ]
        ends = [(await runtime.wait(job.job_id)).status for job in jobs]
    assert ends == ["completed", "failed", "completed"]
