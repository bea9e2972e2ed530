"""Who may decide an approval request: a lead up to its level, by no route more; nobody one's own where that is set."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import httpx
import pytest

from actors.api.app import create_app
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRequest, ApprovalRule, ApprovalStatus, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime, seeded_sources, virtual_settings
from actors.testing.runtime import request
from tests.api.servers import ORIGIN, bearer

RULE = ApprovalRule("Dear", "config_pattern", "dear", required_approver_level="admin", rule_id=1)
BULK = "/api/approvals/bulk"


@pytest.fixture
def self_approval() -> bool:
    return True


@pytest.fixture
async def strict(remote: ScriptedRemote, self_approval: bool) -> AsyncIterator[RunningRuntime]:
    """A runtime in which jobs of config ``dear`` need an admin."""
    parts = Parts(in_memory=True, sources=seeded_sources(1), providers=[ScriptedProvider(ScriptedOptions(), remote)])
    approvals = ApprovalOptions(rules=(RULE,), self_approval=self_approval)
    async with running_runtime(settings=virtual_settings(approvals=approvals), parts=parts) as running:
        yield running


@pytest.fixture
async def http(strict: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(strict))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client


async def blocked(runtime: RunningRuntime, user: str = "bo", **fields: object) -> tuple[Job, str]:
    job = await runtime.submit(request(user_id=user, config_name="dear", duration=3600, **fields))
    return job, (await runtime.approvals.get(job.job_id)).approval_id


async def standing(runtime: RunningRuntime, approval_id: str) -> ApprovalRequest:
    return await runtime.approvals.get(approval_id)


@pytest.mark.parametrize("named", ["approval", "job"])
@pytest.mark.parametrize("word", ["approve", "reject", "cancel", "bulk approve", "bulk reject"])
async def test_a_lead_decides_nothing_that_needs_an_admin(
    word: str, named: str, strict: RunningRuntime, http: httpx.AsyncClient
) -> None:
    """By no route of approvals, named by its own id or by its job's; an admin does."""
    job, approval_id = await blocked(strict)
    name = approval_id if named == "approval" else job.job_id

    async def decide(level: str) -> bool:
        who = await bearer(strict, level, "ana")
        if word.startswith("bulk"):
            body = {"decision": word.removeprefix("bulk "), "approval_ids": [name]}
            (result,) = (await http.post(BULK, json=body, headers=who)).json()["results"]
            assert result["decided"] or "needs level admin, not lead" in result["problem"]
            return bool(result["decided"])
        answered = await http.post(f"/api/approvals/{name}/{word}", headers=who)
        if answered.status_code == 403:
            assert "needs level admin, not lead" in answered.json()["detail"]
        return answered.status_code == 200

    assert not await decide("lead")
    assert (await standing(strict, approval_id)).status is ApprovalStatus.PENDING
    assert not (await strict.jobs.get(job.job_id)).job.is_terminal
    assert await decide("admin")
    assert (await standing(strict, approval_id)).decided_by == "ana"


@pytest.mark.parametrize("level", ["researcher", "lead"])
async def test_ones_own_request_is_taken_back_at_any_level(
    level: str, strict: RunningRuntime, http: httpx.AsyncClient
) -> None:
    _job, approval_id = await blocked(strict, "ana")
    taken = await http.post(f"/api/approvals/{approval_id}/cancel", headers=await bearer(strict, level, "ana"))
    assert (taken.status_code, taken.json()["status"], taken.json()["decided_by"]) == (200, "cancelled", "ana")


async def test_a_lead_cancels_anothers_job_and_has_decided_nothing(
    strict: RunningRuntime, http: httpx.AsyncClient
) -> None:
    """A job that waits for an admin too: its request ends with it, decided by nobody."""
    who = await bearer(strict, "lead", "ana")
    job, approval_id = await blocked(strict)
    assert (await http.post(f"/api/jobs/{job.job_id}/cancel", headers=who)).json()["status"] == "cancelled"
    closed = await standing(strict, approval_id)
    assert (closed.status, closed.decided_by) == (ApprovalStatus.CANCELLED, None)
    assert closed.decision_reason == "its job was cancelled by ana"
    job, approval_id = await blocked(strict)
    await http.post(f"/api/jobs/{job.job_id}/cancel", headers=await bearer(strict, "admin", "cy"))
    assert (await standing(strict, approval_id)).decided_by == "cy"


async def test_a_lead_prioritises_anothers_job(strict: RunningRuntime, http: httpx.AsyncClient) -> None:
    job, _approval = await blocked(strict)
    url, body = f"/api/queue/{job.job_id}/priority", {"priority_override": 30}
    assert (await http.put(url, json=body, headers=await bearer(strict, "lead", "ana"))).status_code == 200
    assert (await strict.jobs.get(job.job_id)).entry.priority_override == 30


async def test_a_wish_for_an_approval_lowers_no_rule(strict: RunningRuntime, http: httpx.AsyncClient) -> None:
    """Who asks for an approval by a lead still waits for the admin that a rule asks for."""
    _job, approval_id = await blocked(strict, requires_approval="please look")
    assert (await standing(strict, approval_id)).required_level == "admin"
    free = await strict.submit(request(config_name="cheap", requires_approval="please look"))
    asked = await strict.approvals.get(free.job_id)
    assert (asked.required_level, asked.reason) == ("lead", "please look")


@pytest.mark.parametrize("self_approval", [False])
@pytest.mark.parametrize("bulk", [False, True])
async def test_nobody_approves_their_own_job_where_that_is_forbidden(
    bulk: bool, strict: RunningRuntime, http: httpx.AsyncClient
) -> None:
    """Over HTTP, for one or many, and in the program that runs the runtime. Somebody else may; one may reject it."""
    _job, approval_id = await blocked(strict, "ana")
    own, other = await bearer(strict, "admin", "ana"), await bearer(strict, "admin", "cy")

    async def approve(who: dict[str, str]) -> tuple[bool, str]:
        if bulk:
            body = {"decision": "approve", "approval_ids": [approval_id]}
            (result,) = (await http.post(BULK, json=body, headers=who)).json()["results"]
            return result["decided"], result["problem"]
        answered = await http.post(f"/api/approvals/{approval_id}/approve", headers=who)
        return answered.status_code == 200, answered.json().get("detail")

    done, why = await approve(own)
    assert not done
    assert "somebody else must approve it" in why
    with pytest.raises(Refused, match=r"approvals\.self_approval") as refused:
        await strict.approve(approval_id, by="ana")
    assert refused.value.kind is RefusalKind.FORBIDDEN
    assert (await standing(strict, approval_id)).status is ApprovalStatus.PENDING
    assert (await approve(other))[0]
    _job, approval_id = await blocked(strict, "ana")
    assert (await strict.reject(approval_id, by="ana")).status is ApprovalStatus.REJECTED


async def test_one_approves_ones_own_job_by_default(strict: RunningRuntime) -> None:
    _job, approval_id = await blocked(strict, "ana")
    assert (await strict.approve(approval_id, by="ana")).status is ApprovalStatus.APPROVED
    assert attrs.fields(ApprovalOptions).self_approval.default is True
