"""kill -9 of the supervisor at every step of jobs that run again: each has the attempts it asked for, in turn."""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from actors.jobs.records import JobStatus
from tests.kills.stage import Stage
from tests.kills.supervisor import POINTS

pytestmark = pytest.mark.parts

JOB = Path(__file__).with_name("interrupted_job.py")
JOBS = 16


@pytest.mark.parametrize("turn", [1, 4])
async def test_interrupted_jobs_run_once_more_however_often_the_supervisor_is_killed(stage: Stage, turn: int) -> None:
    command = [sys.executable, "-I", "-S", str(JOB), str(stage.record)]
    stage.write_jobs(
        [
            {
                "command": [*command, f"user-{one % 4}"],
                "user_id": f"user-{one % 4}",
                "rerun": {"times": 1, "delay": 0.2},
            }
            for one in range(JOBS)
        ]
    )
    for event in POINTS:
        assert await stage.supervise(event, str(turn)) == -signal.SIGKILL, event
    assert await stage.supervise() == 0
    views, events = await stage.rows()
    assert [view.job.status for view in views] == [JobStatus.COMPLETED] * JOBS
    lines = defaultdict(list)
    for at, what, _, job_id, attempt, found in stage.lines():
        lines[job_id].append((float(at), what, attempt, found))
    assert len(lines) == JOBS
    for told in lines.values():
        assert [line[1:] for line in sorted(told)] == [
            ("start", "1", "-"),
            ("start", "2", "of-1"),
            ("end", "2", "of-1"),
        ]
    assert sum(event.type == "job_rerun" for event in events) == JOBS
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
