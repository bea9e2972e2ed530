"""Routes about approvals: deciding many at once, taking back; rules that are changed while it runs, and tried first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRule
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, open_runtime
from actors.testing import virtual_settings

RULES = "/api/approvals/rules"
LONG = {"name": "Long", "condition": "config_pattern", "value": "long-*"}


async def waits(edge: Any, config_name: str) -> bool:
    """Whether a job of this name is held back."""
    return bool((await edge.submit(config_name=config_name, spec={"duration": 3600}))["queue_status"] == "blocked")


async def test_many_are_decided_each_for_itself(edge: Any) -> None:
    """One that cannot be decided hinders no other, and says why; a name that comes twice is decided once."""
    jobs = [await edge.submit(config_name="dear") for _ in range(3)]
    ids = [job["approval"]["approval_id"] for job in jobs]
    await edge.http.post(f"/api/approvals/{ids[1]}/reject", json={})
    asked = {"decision": "approve", "approval_ids": [*ids, "nope", ids[0]]}
    results = (await edge.http.post("/api/approvals/bulk", json=asked)).json()["results"]
    assert [one["approval_id"] for one in results] == [*ids, "nope"]
    assert [one["decided"] for one in results] == [True, False, True, False]
    assert "already rejected" in results[1]["problem"]
    assert "there is no approval request 'nope'" in results[3]["problem"]
    assert results[0]["approval"]["decided_by"] == "ana"


async def test_a_list_says_whose_job_waits_and_how_it_is_called(edge: Any) -> None:
    job = await edge.submit(config_name="dear")
    (listed,) = (await edge.http.get("/api/approvals")).json()["approvals"]
    assert (listed["config_name"], listed["user_id"]) == ("dear", job["user_id"])
    assert listed["job_id"] == job["job_id"]


async def test_many_are_rejected_with_one_reason(edge: Any) -> None:
    jobs = [await edge.submit(config_name="dear") for _ in range(2)]
    asked = {"decision": "reject", "approval_ids": [job["job_id"] for job in jobs], "reason": "closed for the week"}
    results = (await edge.http.post("/api/approvals/bulk", json=asked)).json()["results"]
    assert {one["approval"]["decision_reason"] for one in results} == {"closed for the week"}
    assert (await edge.http.get(f"/api/jobs/{jobs[0]['job_id']}")).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    "body",
    [{}, {"decision": "aprove", "approval_ids": ["x"]}, {"decision": "approve", "approval_ids": []},
     {"decision": "approve", "approval_ids": ["x"] * 501}],
)  # fmt: skip
async def test_many_are_asked_about_properly(edge: Any, body: dict[str, Any]) -> None:
    assert (await edge.http.post("/api/approvals/bulk", json=body)).status_code == 422


async def test_a_request_is_taken_back_with_its_job_once(edge: Any) -> None:
    job = await edge.submit(config_name="dear")
    path = f"/api/approvals/{job['approval']['approval_id']}"
    assert (await edge.http.get(path)).json()["status"] == "pending"
    taken_back = await edge.http.post(f"{path}/cancel")
    assert (taken_back.status_code, taken_back.json()["status"]) == (200, "cancelled")
    assert (await edge.http.get(f"/api/jobs/{job['job_id']}")).json()["status"] == "cancelled"
    assert (await edge.http.get(path)).json()["decided_by"] == "ana"
    assert (await edge.http.post(f"{path}/cancel")).status_code == 409


async def test_what_was_granted_cannot_be_taken_back(edge: Any) -> None:
    """Or the withdrawal of a request would cancel a job that runs."""
    job = await edge.submit(config_name="dear", spec={"duration": 3600})
    path = f"/api/approvals/{job['approval']['approval_id']}"
    await edge.http.post(f"{path}/approve")
    assert (await edge.http.post(f"{path}/cancel")).status_code == 409
    assert (await edge.http.get(f"/api/jobs/{job['job_id']}")).json()["cancel_requested_at"] is None


async def test_a_rule_holds_for_the_next_submission(edge: Any) -> None:
    """New ones are numbered from 1001; a request says which rule asked."""
    assert not await waits(edge, "long-1")
    made = await edge.http.post(RULES, json=LONG)
    assert (made.status_code, made.json()["rule_id"], made.json()["source"]) == (201, 1001, "stored")
    assert (made.json()["changed_by"], made.json()["required_approver_level"]) == ("ana", "lead")
    job = await edge.submit(config_name="long-2")
    assert job["approval"]["rule_id"] == 1001
    assert "Long" in job["approval"]["reason"]
    assert (await edge.http.delete(f"{RULES}/1001")).status_code == 204
    assert not await waits(edge, "long-3")


async def test_a_configured_rule_is_replaced_removed_and_put_back(edge: Any) -> None:
    (configured,) = (await edge.http.get(RULES)).json()["rules"]
    assert (configured["rule_id"], configured["source"]) == (1, "configured")
    put = await edge.http.put(f"{RULES}/1", json={**LONG, "priority": 3})
    assert (put.json()["rule_id"], put.json()["source"], put.json()["priority"]) == (1, "stored", 3)
    assert (await waits(edge, "dear"), await waits(edge, "long-1")) == (False, True)
    assert (await edge.http.delete(f"{RULES}/1")).status_code == 204
    assert (await edge.http.get(RULES)).json()["rules"] == []
    assert (await edge.http.delete(f"{RULES}/1")).status_code == 404
    assert (await edge.http.get(f"{RULES}/1")).status_code == 404
    await edge.http.put(f"{RULES}/1", json={"name": "Dear", "condition": "config_pattern", "value": "dear"})
    assert await waits(edge, "dear")


async def test_a_rule_that_was_never_there_is_not_replaced_and_no_number_comes_twice(edge: Any) -> None:
    assert (await edge.http.put(f"{RULES}/1001", json=LONG)).status_code == 404
    first = (await edge.http.post(RULES, json=LONG)).json()["rule_id"]
    await edge.http.delete(f"{RULES}/{first}")
    assert (await edge.http.put(f"{RULES}/{first}", json=LONG)).status_code == 404
    assert (await edge.http.post(RULES, json=LONG)).json()["rule_id"] == first + 1


async def test_rules_are_listed_in_the_order_in_which_they_are_tried(edge: Any) -> None:
    for priority in (5, 50):
        await edge.http.post(RULES, json={**LONG, "priority": priority})
    rules = (await edge.http.get(RULES)).json()["rules"]
    assert [one["rule_id"] for one in rules] == [1002, 1001, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"condition": "cost_exceds"}, "did you mean cost_exceeds?"),
        ({"condition": "cost_exceeds", "value": "much"}, "value: must be a number"),
        ({"condition": "first_job"}, "value: first_job takes none"),
        ({"value": "^(unclosed$"}, "not a regular expression"),
        ({"condition": "provider", "value": "scriptd"}, "did you mean scripted?"),
        ({"applies_to_provider": "replicat"}, "applies_to_provider: there is no provider"),
        ({"exempt_levels": ["boss"]}, "exempt_levels[0]: must be one of viewer"),
        ({"name": " "}, "name: must not be empty"),
        ({"rule_id": 7}, "unknown key"),
        ({"priority": 2**40}, "at most"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_and_not_kept(
    edge: Any, change: dict[str, Any], words: str
) -> None:
    for path, body in ((RULES, {**LONG, **change}), (f"{RULES}/dry-run", {"rule": {**LONG, **change}})):
        refused = await edge.http.post(path, json=body)
        assert refused.status_code == 422
        assert words in refused.json()["detail"]
    assert len((await edge.http.get(RULES)).json()["rules"]) == 1


async def test_a_dry_run_names_the_jobs_that_would_have_waited_and_changes_nothing(edge: Any) -> None:
    names = ["long-1", "short", "long-2"]
    made = {name: (await edge.submit(config_name=name))["job_id"] for name in names}
    found = (await edge.http.post(f"{RULES}/dry-run", json={"rule": {**LONG, "is_active": False}})).json()
    assert found["looked_at"] == 3
    assert [one["job_id"] for one in found["caught"]] == [made["long-2"], made["long-1"]]
    assert found["caught"][0]["reason"] == "Long: configuration long-2 matches long-*"
    newest = (await edge.http.post(f"{RULES}/dry-run", json={"rule": LONG, "last": 1})).json()
    assert (newest["looked_at"], len(newest["caught"])) == (1, 1)
    assert len((await edge.http.get(RULES)).json()["rules"]) == 1


@pytest.mark.parametrize(
    ("rule", "caught"),
    [
        ({"condition": "first_job"}, ["ana-1", "bo-1"]),
        ({"condition": "daily_jobs_exceed", "value": 1}, ["ana-2"]),
        ({"condition": "first_job", "exempt_levels": ["lead"]}, ["ana-1"]),
        ({"condition": "user_level", "value": "lead"}, ["bo-1"]),
    ],
)
async def test_a_dry_run_judges_each_job_by_what_was_known_then(
    edge: Any, rule: dict[str, Any], caught: list[str]
) -> None:
    """A first job is one that was the first when it was submitted."""
    await edge.submit(config_name="ana-1")
    await edge.submit(config_name="ana-2")
    await edge.submit(config_name="bo-1", user_id="bo", user_levels=["lead"])
    found = (await edge.http.post(f"{RULES}/dry-run", json={"rule": {"name": "Tried", **rule}})).json()["caught"]
    names = {(await edge.http.get(f"/api/jobs/{one['job_id']}")).json()["config_name"] for one in found}
    assert names == set(caught)


async def test_rules_made_while_it_ran_hold_after_a_restart(tmp_path: Path, remote: ScriptedRemote) -> None:
    rule = ApprovalRule("Dear", "config_pattern", "dear", rule_id=1)
    settings = attrs.evolve(virtual_settings(approvals=ApprovalOptions(rules=(rule,))), state_dir=tmp_path)
    for turn in range(2):
        parts = Parts(providers=[ScriptedProvider(ScriptedOptions(), remote)])
        async with open_runtime(settings, parts) as runtime:
            app = asked_by(create_app(runtime), Peer(1000, "ana"))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://greenroom") as http:
                if turn == 0:
                    await http.post(RULES, json=LONG)
                    await http.delete(f"{RULES}/1")
                found = (await http.get(RULES)).json()["rules"]
                assert [(one["rule_id"], one["name"]) for one in found] == [(1001, "Long")]
                asked_for = {"provider": "scripted", "user_id": "ana", "config_name": "long-9"}
                assert (await http.post("/api/jobs", json=asked_for)).json()["queue_status"] == "blocked"


async def test_each_change_of_a_rule_is_told(edge: Any) -> None:
    await edge.http.post(RULES, json=LONG)
    await edge.http.put(f"{RULES}/1", json=LONG)
    await edge.http.delete(f"{RULES}/1001")
    events = await edge.runtime.event_reader.past_events(types=["rules_changed"])
    told = [(event.data["rule_id"], event.data["change"], event.data["by"]) for event in events]
    assert told == [(1001, "added", "ana"), (1, "replaced", "ana"), (1001, "removed", "ana")]
