"""Killed at any moment, started again: nothing is lost, nothing runs twice, one trail (C2, B13, A14)."""

from __future__ import annotations

import os
from typing import Any

import attrs
import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.scripted.faults import Fault, FaultKind
from actors.runtime import Parts, open_runtime
from actors.store import InlineExecutor
from actors.store.state_directory import AlreadyRunning
from actors.testing import request, seeded_sources, virtual_settings
from logconf import bind_correlation_id
from logconf.testing import capture_logs
from tests.runs_at_once import most_at_once


def opened(path, clock, remote, *, seed, limits=None, options=None):
    """A runtime on the file in ``path``, its store inline so that virtual time holds."""
    settings = attrs.evolve(virtual_settings(limits=limits), state_dir=path)
    provider = ScriptedProvider(options or ScriptedOptions(), remote)
    parts = Parts(clock=clock, executor=InlineExecutor(), sources=seeded_sources(seed), providers=[provider])
    return open_runtime(settings, parts)


class Killed(Exception):
    """The process ends here."""


async def killed(path, clock, remote, when: float, *, seed: int, requests: list[Any] = (), **options: Any) -> list[str]:
    """Open a runtime, submit, and end it without any good-bye after ``when`` seconds; the ids of the jobs."""
    ids: list[str] = []
    try:
        async with opened(path, clock, remote, seed=seed, **options) as runtime:
            ids += [one.job.job_id for one in await runtime.jobs.submit_many(requests)] if requests else []
            await trio.sleep(when)
            runtime.quiesce = no_goodbye
            raise Killed
    except* Killed:
        pass
    return ids


async def no_goodbye() -> None:
    """A killed process waits for nothing."""


@pytest.mark.parametrize("when", [0, 0.001, 0.5, 3, 7, 12, 31])
@pytest.mark.parametrize(
    "fault",
    [None, Fault(FaultKind.SLOW, ("submit",), times=3, seconds=2), Fault(FaultKind.LOST_ANSWER, ("submit",), times=2)],
    ids=["well", "slow", "lost"],
)
async def test_every_job_runs_once_whenever_the_process_ends(autojump_clock, tmp_path, when, fault):
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    if fault is not None:
        remote.inject(fault)
    requests = [request(user_id=f"u{n % 3}", duration=5 + n) for n in range(6)]
    ids = await killed(tmp_path, clock, remote, when, seed=1, requests=requests, limits=Limits(total=3))
    await trio.sleep(2)
    ids_again = await killed(tmp_path, clock, remote, 1.5, seed=2, limits=Limits(total=3))
    assert ids_again == []
    async with opened(tmp_path, clock, remote, seed=3, limits=Limits(total=3)) as runtime:
        for job_id in ids:
            assert (await runtime.wait(job_id)).status is JobStatus.COMPLETED
        events = await runtime.event_reader.past_events(limit=10_000)
        assert await runtime.queue.is_idle()
    assert sorted(run.context["job_id"] for run in remote.runs) == sorted(ids)
    assert most_at_once(remote)[None] <= 3
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_one_correlation_id_from_submission_to_the_terminal_event_across_a_restart(autojump_clock, tmp_path):
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    with capture_logs() as lines:
        with bind_correlation_id("request-abc-123"):
            async with opened(tmp_path, clock, remote, seed=1) as runtime:
                job = await runtime.submit(request(duration=100))
                await trio.sleep(10)
        async with opened(tmp_path, clock, remote, seed=2) as runtime:
            await runtime.wait(job.job_id)
            events = await runtime.event_reader.past_events(job_id=job.job_id)
    assert {event.correlation_id for event in events} == {"request-abc-123"}
    assert remote.runs[0].context["correlation_id"] == "request-abc-123"
    about = [line for line in lines if line["extra"].get("job_id") == job.job_id]
    assert {line["correlation_id"] for line in about} == {"request-abc-123"}
    said = [line["message"] for line in about]
    assert said[0] == "Job queued"
    assert said[-1] == "Job is now completed"
    cycles = {line["extra"]["cycle_id"] for line in about if "cycle_id" in line["extra"]}
    assert "request-abc-123" not in cycles
    for cycle in cycles:
        assert len(cycle) == 32


async def test_a_second_supervisor_on_one_state_directory_is_refused_naming_the_first(autojump_clock, tmp_path):
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    async with opened(tmp_path, clock, remote, seed=1):
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}, started 20"):
            async with opened(tmp_path, clock, remote, seed=2):
                pass
    async with opened(tmp_path, clock, remote, seed=3):
        pass


async def test_limits_changed_at_run_time_are_kept_over_a_restart(autojump_clock, tmp_path):
    clock = VirtualClock()
    remote = ScriptedRemote(clock.now)
    async with opened(tmp_path, clock, remote, seed=1) as runtime:
        await runtime.queue.set_limit("per_user", 7)
        await runtime.queue.pause("scripted", "for the night")
    async with opened(tmp_path, clock, remote, seed=2) as runtime:
        assert (await runtime.queue.limits())[0].per_user == 7
        assert (await runtime.queue.view()).closed_providers == {
            "scripted": "provider scripted is paused: for the night",
        }
