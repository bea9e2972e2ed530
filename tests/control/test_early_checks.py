"""Requests that can be seen not to run are refused at submission, however they come, or accepted with a warning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.jobs.options import Limits
from actors.jobs.records import JobRequest, JobStatus, Resources
from actors.jobs.refusal import Refused
from actors.kernel import SystemClock
from actors.providers.errors import ProviderError
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[RunningRuntime]:
    """One on which nothing is ever started."""
    local = LocalProvider(LocalOptions(cpus=2, gpus=0, memory=2**30), tmp_path / "local")
    clock = SystemClock()
    scripted = ScriptedProvider(ScriptedOptions(cpus=2), ScriptedRemote(clock.now))
    parts = Parts(clock=clock, in_memory=True, sources=seeded_sources(1), providers=[local, scripted])
    async with running_runtime(settings=virtual_settings(limits=Limits(total=0)), parts=parts) as opened:
        yield opened


@pytest.fixture
async def web(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """The supervisor's own user on the Unix socket."""
    app = asked_by(create_app(runtime), Peer(1000, "op"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://greenroom") as http:
        yield http


def job(*command: str, **fields: Any) -> JobRequest:
    return JobRequest(command=command, user_id="ana", inherited_env={"PATH": "/usr/bin:/bin"}, **fields)


async def number_of_jobs(runtime: RunningRuntime) -> int:
    return len(await runtime.jobs.page())


async def test_what_cannot_run_is_refused_and_nothing_is_stored(runtime: RunningRuntime) -> None:
    with pytest.raises(Refused, match="command: 'pythn' is not found in the job's PATH") as refused:
        await runtime.submit(job("pythn", "train.py"))
    assert refused.value.field == "command"
    with pytest.raises(Refused, match="job 2: cwd: '/nowhere' does not exist"):
        await runtime.jobs.submit_many([job("true"), job("true", cwd="/nowhere")])
    with pytest.raises(Refused, match="resources: this machine has 1 GiB of memory in all, the job needs 2 GiB"):
        await runtime.submit(job("true", resources=Resources(memory=2**31)))
    assert await number_of_jobs(runtime) == 0


async def test_without_the_check_it_is_accepted_with_a_warning(runtime: RunningRuntime) -> None:
    asked = [job("true"), job("pythn", resources=Resources(gpus=1))]
    right, wrong = await runtime.jobs.submit_many(asked, check=False)
    assert right.warnings == ()
    assert [text.split(";")[0] for text in wrong.warnings] == [
        "resources: this machine has 0 GPUs in all, the job needs 1 GPU",
        "command: 'pythn' is not found in the job's PATH ('/usr/bin:/bin')",
    ]


async def test_what_never_fits_another_provider_is_refused_all_the_same(runtime: RunningRuntime) -> None:
    asked = JobRequest(provider="scripted", user_id="ana", resources=Resources(cpus=3))
    for check in (True, False):
        with pytest.raises(Refused, match="provider scripted has 2 CPUs in all, the job needs 3 CPUs"):
            await runtime.jobs.submit_many([asked], check=check)


async def test_a_job_that_is_there_already_is_not_judged_anew(runtime: RunningRuntime, tmp_path: Path) -> None:
    """A file that is submitted again may name a directory that its job has removed."""
    (tmp_path / "work").mkdir()
    asked = job("true", cwd=str(tmp_path / "work"), idempotency_key="k")
    (first,) = await runtime.jobs.submit_many([asked])
    (tmp_path / "work").rmdir()
    (again,) = await runtime.jobs.submit_many([asked])
    assert (again.job.job_id, again.created) == (first.job.job_id, False)
    with pytest.raises(Refused, match="job 2: cwd"):
        await runtime.jobs.submit_many([asked, job("true", cwd=str(tmp_path / "work"), idempotency_key="other")])


async def test_a_retry_is_checked_too(runtime: RunningRuntime, web: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    before = await runtime.submit(job("true", cwd=str(tmp_path / "work")))
    await runtime.cancel(before.job_id)
    (tmp_path / "work").rmdir()
    with pytest.raises(Refused, match="does not exist"):
        await runtime.jobs.retry(before.job_id)
    assert (await web.post(f"/api/jobs/{before.job_id}/retry")).status_code == 422
    answer = await web.post(f"/api/jobs/{before.job_id}/retry", params={"check": "false"})
    assert (answer.status_code, answer.json()["retry_of"]) == (201, before.job_id)
    assert "does not exist" in answer.json()["warnings"][0]


async def test_over_http_it_is_422_with_the_field_or_a_list_of_warnings(
    runtime: RunningRuntime, web: httpx.AsyncClient
) -> None:
    body = {"provider": "local", "command": ["pythn"], "user_id": "ana", "inherited_env": {"PATH": "/bin"}}
    answer = await web.post("/api/jobs", json=body)
    assert answer.status_code == 422
    assert "'pythn' is not found in the job's PATH" in answer.json()["detail"]
    answer = await web.post("/api/jobs", json=body, params={"check": "false"})
    assert (answer.status_code, answer.json()["status"]) == (201, JobStatus.PENDING)
    assert len(answer.json()["warnings"]) == 1
    answer = await web.post("/api/jobs", json=[body, {**body, "command": ["true"]}], params={"check": "false"})
    assert [len(one["warnings"]) for one in answer.json()] == [1, 0]
    assert (await web.post("/api/jobs", json=body, params={"check": "maybe"})).status_code == 422


async def test_a_check_that_fails_refuses_nobody(
    runtime: RunningRuntime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_self: Any, _requests: Any) -> None:
        raise ProviderError("the checks are broken")

    monkeypatch.setattr(LocalProvider, "check_requests", broken)
    await runtime.submit(job("pythn"))
    assert "Provider local could not check requests: the checks are broken" in caplog.text
