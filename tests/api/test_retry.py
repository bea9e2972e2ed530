"""A retry is a new request of whoever retries, checked for the way it arrived (B14, D1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.jobs.records import DEFAULT_ENV_FROM, Job, JobRequest
from actors.runtime import RunningRuntime
from tests.api.servers import bearer

BOS = JobRequest(
    provider="scripted",
    entry_point="train",
    params={"epochs": 3},
    cwd="/srv/bo",
    env={"LD_PRELOAD": "/tmp/x.so"},
    env_from=("WANDB_*",),
    inherited_env={"PATH": "/tmp/bo", "WANDB_API_KEY": "bos"},
    spec={"duration": 1},
    user_id="bo",
    org_id="shop",
    team_id="vision",
    user_levels=("admin",),
    config_name="run",
    estimated_cost=2.0,
    priority_override=40,
    max_attempts=2,
    idempotency_key="k",
    max_runtime=60.0,
)
"""Everything that the supervisor's own user may say for bo."""
SAME = ("provider", "entry_point", "params", "spec", "config_name", "estimated_cost", "max_attempts", "max_runtime")


async def ended(runtime: RunningRuntime, request: JobRequest) -> str:
    """A job that was submitted on this machine, and cancelled."""
    job = await runtime.submit(request)
    await runtime.cancel(job.job_id)
    await runtime.wait(job.job_id)
    return job.job_id


async def retried(runtime: RunningRuntime, web: httpx.AsyncClient, job_id: str, who: dict[str, str]) -> Job:
    answered = await web.post(f"/api/jobs/{job_id}/retry", headers=who)
    assert answered.status_code == 201, answered.text
    assert answered.json()["retry_of"] == job_id
    return (await runtime.jobs.get(answered.json()["job_id"])).job


@pytest.fixture
async def local(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """The supervisor's own user on the Unix socket."""
    app = asked_by(create_app(runtime), Peer(1000, "op"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://greenroom") as http:
        yield http


@pytest.mark.parametrize("level", ["lead", "admin"])
async def test_another_persons_job_is_retried_as_ones_own(
    level: str, web: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    """User, organisation, level and environment are those of who retries; what a token may not set is left out."""
    who = await bearer(runtime, level, "ana", org_id="lab", teams=("speech",))
    job = await retried(runtime, web, await ended(runtime, BOS), who)
    request = job.request
    assert [getattr(request, field) for field in SAME] == [getattr(BOS, field) for field in SAME]
    assert (request.user_id, request.org_id, request.user_levels) == ("ana", "lab", (level,))
    assert (request.team_id, request.idempotency_key) == (None, None)
    assert (request.cwd, request.env, request.env_from) == (None, {}, DEFAULT_ENV_FROM)
    assert request.inherited_env is not None
    assert "WANDB_API_KEY" not in request.inherited_env
    assert request.inherited_env.get("PATH") != "/tmp/bo"
    assert request.priority_override == 40


async def test_a_team_stays_where_the_token_names_it(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    who = await bearer(runtime, "lead", "ana", teams=("vision",))
    assert (await retried(runtime, web, await ended(runtime, BOS), who)).request.team_id == "vision"


async def test_ones_own_job_is_retried_as_the_token_allows(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """A job that the supervisor's user submitted for bo had more rights than bo has over the network."""
    job = await retried(
        runtime, web, await ended(runtime, BOS), await bearer(runtime, "researcher", "bo", org_id="lab")
    )
    request = job.request
    assert (request.user_id, request.org_id, request.user_levels) == ("bo", "lab", ("researcher",))
    assert (request.priority_override, request.team_id, request.env, request.cwd) == (None, None, {}, None)
    assert [getattr(request, field) for field in SAME] == [getattr(BOS, field) for field in SAME]


async def test_an_admins_own_job_keeps_what_an_admin_may_say(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    job = await retried(runtime, web, await ended(runtime, BOS), await bearer(runtime, "admin", "bo", org_id="lab"))
    assert (job.request.org_id, job.request.user_levels, job.request.priority_override) == ("shop", ("admin",), 40)
    assert job.request.env == {}


@pytest.mark.parametrize("level", ["researcher", "lead", "admin"])
async def test_what_was_a_command_cannot_be_retried_over_the_network(
    level: str, web: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    """In one sentence that says where it can; nothing is stored."""
    command = JobRequest(provider="scripted", command=("sh", "-c", "id"), user_id="ana")
    job_id = await ended(runtime, command)
    refused = await web.post(f"/api/jobs/{job_id}/retry", headers=await bearer(runtime, level, "ana"))
    assert (refused.status_code, refused.json()["field"]) == (403, "command")
    assert f"greenroom retry {job_id}" in refused.json()["detail"]
    assert "\n" not in refused.json()["detail"]
    assert len(await runtime.jobs.page()) == 1


async def test_a_researcher_retries_nobody_elses_job(web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    job_id = await ended(runtime, BOS)
    who = await bearer(runtime, "researcher", "ana")
    assert (await web.post(f"/api/jobs/{job_id}/retry", headers=who)).status_code == 404


async def test_the_supervisors_own_user_keeps_the_owner_and_everything_else(
    local: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    """On the Unix socket, and in the program that runs the runtime."""
    kept = attrs.evolve(BOS, idempotency_key=None)
    job_id = await ended(runtime, BOS)
    assert (await retried(runtime, local, job_id, {})).request == kept
    assert (await runtime.jobs.retry(job_id, by="op")).request == kept
    command = JobRequest(provider="scripted", command=("sh", "-c", "id"), user_id="bo")
    assert (await retried(runtime, local, await ended(runtime, command), {})).request.command == command.command
