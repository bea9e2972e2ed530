"""What tests of programs that embed Greenroom need is importable from one place, as its text shows."""

from __future__ import annotations

import actors.testing
from actors.testing import ScriptedProvider, ScriptedRemote, VirtualClock, request, running_runtime


async def test_the_example_of_the_package_runs(autojump_clock):
    clock = VirtualClock()
    provider = ScriptedProvider(remote=ScriptedRemote(clock.now))
    async with running_runtime(provider, clock=clock) as runtime:
        job = await runtime.submit(request(duration=3600))
        assert (await runtime.wait(job.job_id)).status == "completed"


def test_every_name_is_there():
    assert all(getattr(actors.testing, name) is not None for name in actors.testing.__all__)
