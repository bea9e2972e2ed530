"""Whatever waits for whatever, however it ends: what becomes of each job is what the rules say, and in their order."""

from __future__ import annotations

import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.kernel import VirtualClock
from actors.ledger import cascade
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts
from actors.testing import request, running_runtime, seeded_sources, virtual_settings

ENDS = {"completed": JobStatus.COMPLETED, "failed": JobStatus.FAILED, "cancelled": JobStatus.CANCELLED}


@st.composite
def graphs(draw):
    """Jobs in the order of their submission: what each waits for, how, how it would end, and after how long."""
    number = draw(st.integers(1, 14))
    jobs = []
    for index in range(number):
        parents = draw(st.sets(st.integers(0, index - 1), max_size=5)) if index else set()
        mode, end = draw(st.sampled_from(["ok", "ok", "ended"])), draw(st.sampled_from(["completed", *ENDS]))
        jobs.append((sorted(parents), mode, end, draw(st.sampled_from([0.0, 1.0, 5.0, 30.0]))))
    return jobs


def expected(jobs):
    """How each of them ends, by the rules alone."""
    ends = []
    for parents, mode, end, _ in jobs:
        good = mode == "ended" or all(ends[parent] is JobStatus.COMPLETED for parent in parents)
        ends.append(ENDS[end] if good else JobStatus.CANCELLED)
    return ends


async def run(jobs, total):
    clock = VirtualClock()
    provider = ScriptedProvider(ScriptedOptions(cpus=None), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[provider])
    async with running_runtime(
        settings=virtual_settings(limits=Limits(total=total, per_user=total)), parts=parts
    ) as it:
        requests = [
            request(config_name=f"j{index}", after=tuple(f"j{one}" for one in parents), after_mode=mode,
                    result=end, duration=seconds)
            for index, (parents, mode, end, seconds) in enumerate(jobs)
        ]  # fmt: skip
        made = [one.job.job_id for one in await it.jobs.submit_many(requests)]
        for job_id in made:
            await it.wait(job_id)
        assert await it.queue.is_idle()
        return [await it.jobs.get(job_id) for job_id in made]


@given(jobs=graphs(), batch=st.sampled_from([1, 7, 250]), total=st.sampled_from([1, 3, 50]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_job_ends_as_the_rules_say_and_none_starts_before_what_it_waits_for(jobs, batch, total, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cascade, "BATCH", batch)
        views = trio.run(run, jobs, total, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [view.job.status for view in views] == expected(jobs)
    for view, (parents, mode, _, _) in zip(views, jobs, strict=True):
        started = view.entry.started_at
        assert started is None or all(views[parent].job.completed_at <= started for parent in parents)
        cancelled_by = [one for one in view.waits_for.jobs if one.broke]
        assert len(cancelled_by) == (mode == "ok" and started is None)
