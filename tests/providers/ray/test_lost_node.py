"""A node of a cluster is lost while it runs a job (E13): Ray itself says so, and the job runs again on another node."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import trio

from actors.jobs.records import JobRequest, JobStatus, Rerun, Resources
from tests.providers.ray.head import HOW_TO_GET_RAY, RAY, a_head
from tests.providers.ray.supervisors import supervised
from tests.providers.supervisors import LINE, lines, status

pytestmark = pytest.mark.parts

WORKS_THE_SECOND_TIME = LINE + '[ "$GREENROOM_ATTEMPT" = 2 ] || exec sleep 1000'


@pytest.mark.skipif(RAY is None, reason=HOW_TO_GET_RAY)
async def test_a_job_whose_node_is_lost_runs_again_on_another(tmp_path: Path) -> None:
    record = tmp_path / "record"
    request = JobRequest(
        provider="ray", command=("sh", "-c", WORKS_THE_SECOND_TIME, str(record)), user_id="ana", inherited_env={},
        resources=Resources(cpus=1), rerun=Rerun(1, delay=0),
    )  # fmt: skip
    # Not at 127.0.0.1, where Ray lets no second node join; loopback all the same.
    with (
        tempfile.TemporaryDirectory(prefix="gr-", ignore_cleanup_errors=True) as folder,
        a_head(Path(folder), host="127.0.0.2") as head,
    ):
        head.start(cpus=0)
        await head.ready()
        node = await head.add_node()
        async with supervised(tmp_path, head) as runtime:
            job = await runtime.submit(request)
            while not lines(record):  # noqa: ASYNC110 - the program's own word
                await trio.sleep(0.1)
            node.kill_all()
            await head.add_node()
            await status(runtime, job.job_id, JobStatus.COMPLETED)
            async with runtime.events(after=0, job_id=job.job_id) as events:
                async for event in events:
                    if event.type == "job_rerun":
                        break
            assert event.data["reason"] == "its node was lost"
            assert len(lines(record)) == 2
