"""When jobs end and waiting ones start, as shown by a runtime: from progress and from earlier runs of the same name."""

from __future__ import annotations

from datetime import timedelta

import pytest
import trio

from actors.documents.jobs import job_document
from actors.jobs.options import Limits
from actors.testing import request

ONE = Limits(total=1, per_user=1)


async def test_a_running_job_that_reports_its_steps_has_an_estimate(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(duration=1_000, progress=1_000)
        await trio.sleep(20)
        assert (await runtime.jobs.get(job.job_id)).ends is None  # not 30 s yet
        await trio.sleep(180)
        view = await runtime.jobs.get(job.job_id)
        end = view.job.started_at + timedelta(seconds=1_000)
        assert view.ends.middle == pytest.approx(end, abs=timedelta(seconds=20))
        document = job_document(view)
        assert document["estimated_end"].earliest <= document["estimated_end"].latest
        assert document["estimated_start"] is None
        [listed] = await runtime.jobs.page()
        assert listed.ends == view.ends
        await runtime.wait(job.job_id)
        assert (await runtime.jobs.get(job.job_id)).ends is None


async def test_a_waiting_job_starts_when_what_runs_presumably_ends(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        running = await world.submit(duration=1_000, progress=1_000)
        waiting = await world.submit(config_name="eval", duration=60)
        behind = await world.submit(duration=60)
        await trio.sleep(200)
        view, last = await runtime.jobs.get(waiting.job_id), await runtime.jobs.get(behind.job_id)
        ends = (await runtime.jobs.get(running.job_id)).ends
        assert view.starts == ends
        assert view.estimate == pytest.approx(800, abs=20)
        assert (view.ends, last.starts) == (None, None)  # nobody knows how long eval runs
        shown = (await runtime.queue.view()).waiting
        assert [one.starts for one in shown] == [ends, None]


async def test_jobs_of_a_name_run_as_long_as_the_median_of_those_before(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        for seconds in (50, 60, 600):
            await runtime.wait((await world.submit(config_name="eval", duration=seconds)).job_id)
        failed = await world.submit(config_name="eval", duration=1, result="failed")
        await runtime.wait(failed.job_id)
        first = await world.submit(config_name="eval", duration=60)
        second = await world.submit(config_name="eval", duration=60)
        await world.submit(config_name="eval", duration=60, user_id="bo")
        third = await world.submit(config_name="eval", duration=60, max_runtime=20.0)
        await trio.sleep(10)
        begun = (await runtime.jobs.get(first.job_id)).job.started_at
        assert (await runtime.jobs.get(first.job_id)).ends is None  # it reports no steps
        view = await runtime.jobs.get(second.job_id)
        assert view.starts.middle == pytest.approx(begun + timedelta(seconds=60), abs=timedelta(seconds=2))
        assert view.ends.middle == pytest.approx(begun + timedelta(seconds=120), abs=timedelta(seconds=2))
        assert (await runtime.jobs.get(third.job_id)).starts is None  # behind bo's, of whose name nothing is known


async def test_as_many_as_wait_of_a_name_the_runs_before_are_known(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        await runtime.wait((await world.submit(config_name="eval", duration=60)).job_id)
        many = await runtime.jobs.submit_many([request(config_name="eval", duration=60) for _ in range(60)])
        await trio.sleep(10)
        assert (await runtime.jobs.get(many[1].job.job_id)).starts is not None


async def test_where_nothing_is_known_nothing_is_shown(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        await world.submit(duration=1_000)
        waiting = await world.submit(duration=60)
        await trio.sleep(100)
        view = await runtime.jobs.get(waiting.job_id)
        assert (view.starts, view.ends, view.estimate) == (None, None, None)


async def test_the_median_of_two_runs_lies_between_them(autojump_clock, world):
    async with world.open(limits=ONE) as runtime:
        for seconds in (50, 100):
            await runtime.wait((await world.submit(config_name="eval", duration=seconds)).job_id)
        await world.submit(config_name="eval", duration=60)
        waiting = await world.submit(config_name="eval", duration=60)
        await trio.sleep(10)
        assert (await runtime.jobs.get(waiting.job_id)).estimate == pytest.approx(65, abs=2)
