"""kill -9 of the supervisor at every step of a job's life: nothing is lost or run twice, no limit broken (C2)."""

from __future__ import annotations

import json
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.jobs.records import JobStatus, QueueStatus
from tests.kills.stage import Stage
from tests.kills.supervisor import LIMITS, POINTS

pytestmark = pytest.mark.parts

JOB = Path(__file__).with_name("short_job.py")
JOBS = 60
LOGGED = (0, JOBS - 1)
RANDOM_KILLS = {1: 2, 2: 2, 3: 1}  # by round: five in all


def short_jobs(stage: Stage) -> list[dict[str, Any]]:
    jobs = []
    for number in range(JOBS):
        user = f"user-{number % 5}"
        if number in LOGGED:
            command = [sys.executable, str(JOB), str(stage.record), user, "logged"]
        else:
            command = [sys.executable, "-I", "-S", str(JOB), str(stage.record), user]
        jobs.append({"command": command, "user_id": user})
    return jobs


async def kill_again_and_again(stage: Stage, turn: int) -> None:
    """One supervisor after another, each killed at an event or at a random moment; then one that may finish."""
    chance = random.Random(turn)
    kills: list[str | None] = [*POINTS, *[None] * RANDOM_KILLS[turn]]
    chance.shuffle(kills)
    for event in kills:
        if event is None:
            status = await stage.supervise_until_lines(len(stage.lines()) + chance.randint(1, 5))
        else:
            status = await stage.supervise(event, str(turn))
        assert status == -signal.SIGKILL, f"it was to be killed at {event or 'a random moment'}"
    assert await stage.supervise() == 0


@pytest.mark.parametrize("turn", RANDOM_KILLS)
async def test_each_of_sixty_jobs_runs_once_however_often_the_supervisor_is_killed(stage: Stage, turn: int) -> None:
    """In round n, at each event's n-th occurrence in the life of a supervisor."""
    stage.write_jobs(short_jobs(stage))
    await kill_again_and_again(stage, turn)
    views, events = await stage.rows()
    ids = {view.job.job_id for view in views}
    assert len(ids) == JOBS
    assert Counter((what, job) for _, what, _, job in stage.lines()) == Counter(
        [(what, job) for what in ("start", "end") for job in ids]
    )
    assert {view.job.status for view in views} == {JobStatus.COMPLETED}
    assert {view.entry.status for view in views} == {QueueStatus.COMPLETED}
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert_within_limits(stage)
    assert_one_trail(stage, views, events)


def assert_within_limits(stage: Stage) -> None:
    """By the jobs' own records: a file that is appended to has one order."""
    running: Counter[str] = Counter()
    most_at_once = 0
    for _, what, user, _ in stage.lines():
        running[user] += 1 if what == "start" else -1
        most_at_once = max(most_at_once, running.total())
        assert running[user] <= LIMITS.per_user
        assert running.total() <= LIMITS.total
    assert most_at_once > 1, "no two jobs ever ran at once, so nothing was shown"


def assert_one_trail(stage: Stage, views: list[Any], events: list[Any]) -> None:
    """From submission to the job's own last log line, through every supervisor (A14)."""
    correlation = {view.job.job_id: view.job.correlation_id for view in views}
    assert len(set(correlation.values())) == JOBS
    types: dict[str, list[str]] = {job_id: [] for job_id in correlation}
    for event in events:
        if event.job_id is not None:
            assert event.correlation_id == correlation[event.job_id]
            types[event.job_id].append(event.type)
    for job_id, id_ in correlation.items():
        assert types[job_id][0] == "job_queued"
        assert types[job_id].count("job_queued") == 1
        assert {line["correlation_id"] for line in stage.log_lines(job_id)} <= {id_}
    logged = [view.job.job_id for view in views if "logged" in view.job.request.command]
    assert len(logged) == len(LOGGED)
    for job_id in logged:
        last = json.loads(stage.directory(job_id).log.read_text().splitlines()[-1])
        assert (last["message"], last["correlation_id"]) == ("Trained", correlation[job_id])
        assert stage.log_lines(job_id), "no supervisor said anything about it"
