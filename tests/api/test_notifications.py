"""Notifications over HTTP: naming a target, who may, what is shown of them, and enabling one again (E11)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import httpx
import pytest

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.options import HttpOptions
from actors.jobs.notifications import Outcome
from actors.jobs.notify_options import AllowedCallers, NotificationTarget, NotifyOptions
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.runtime import Parts, RunningRuntime, open_runtime
from actors.testing import seeded_sources, virtual_settings
from tests.api.servers import ORIGIN, bearer
from tests.notification_fixtures import Targets

NOTIFY = NotifyOptions(
    {
        "chat": NotificationTarget(url="https://chat.example/hidden"),
        "few": NotificationTarget(url="https://few.example/", allowed=AllowedCallers(("bo",), ("lead",))),
        "page": NotificationTarget(command=("page", "hidden")),
    }
)
GONE = Outcome("answered 410", final=True, disables=True)


@pytest.fixture
def targets() -> Targets:
    return Targets()


@pytest.fixture
async def runtime(remote, targets) -> AsyncIterator[RunningRuntime]:
    provider = ScriptedProvider(ScriptedOptions(), remote)
    parts = Parts(in_memory=True, sources=seeded_sources(1), providers=[provider], sender=targets.open)
    async with open_runtime(attrs.evolve(virtual_settings(), notify=NOTIFY), parts) as running:
        yield running


@pytest.fixture
async def local(runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the Unix socket, the supervisor's own user."""
    app = asked_by(create_app(runtime), Peer(1000, "ana"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://greenroom") as http:
        yield http


@pytest.fixture
async def web(runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(runtime, HttpOptions(requests_per_minute=1000)))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        yield http


def job(*names: str, **more: object) -> dict[str, object]:
    return {"provider": "scripted", "notify": list(names), **more}


async def finished(runtime, targets, http, *names):
    """The document of a job that has ended, when all that it sends was recorded."""
    made = (await http.post("/api/jobs", json=job(*names, user_id="ana"))).json()
    await runtime.wait(made["job_id"])
    while True:
        async with runtime.events():
            found = (await http.get(f"/api/jobs/{made['job_id']}")).json()
        if all(one["tries"] for one in found["notifications"]):
            return found


async def test_an_unknown_target_is_refused_with_the_known_ones(local):
    answer = await local.post("/api/jobs", json=job("chta", user_id="ana"))
    assert (answer.status_code, answer.json()["field"]) == (422, "notify")
    assert answer.json()["detail"] == "notify: there is no notification target 'chta'; did you mean chat?"
    answer = await local.post("/api/jobs", json=[job(user_id="ana"), job("zzz", user_id="ana")])
    assert "job 2: notify: there is no notification target 'zzz'; known are chat, few, page" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("level", "user", "denied"),
    [("researcher", "ana", ["few", "page"]), ("researcher", "bo", ["page"]), ("lead", "cem", ["page"]),
     ("admin", "dia", [])],
)  # fmt: skip
async def test_who_may_name_which_target(runtime, web, level, user, denied):
    headers = await bearer(runtime, level, user)
    for name in NOTIFY.targets:
        answer = await web.post("/api/jobs", json=job(name), headers=headers)
        assert (answer.status_code == 403) == (name in denied), answer.text
        if name in denied:
            assert answer.json()["detail"] == f"notify: target '{name}' is not for you (notify.targets.{name}.for)"


async def test_the_supervisors_own_user_may_name_all(local):
    assert (await local.post("/api/jobs", json=job(*NOTIFY.targets, user_id="ana"))).status_code == 201


async def test_a_retry_keeps_the_targets_that_its_caller_may_use(runtime, targets, local, web):
    before = await finished(runtime, targets, local, "chat", "page")
    headers = await bearer(runtime, "lead", "cem")
    answer = await web.post(f"/api/jobs/{before['job_id']}/retry", headers=headers)
    assert answer.json()["notify"] == ["chat"]
    answer = await local.post(f"/api/jobs/{before['job_id']}/retry")
    assert answer.json()["notify"] == ["chat", "page"]


async def test_a_job_shows_its_notifications_and_a_list_shows_all(runtime, targets, local):
    targets.answers["chat"].append(Outcome("answered 404: no such channel", final=True))
    found = await finished(runtime, targets, local, "chat")
    (one,) = found["notifications"]
    assert (one["target"], one["type"], one["state"]) == ("chat", "completed", "given_up")
    assert one["last_error"] == "answered 404: no such channel"
    listed = (await local.get("/api/notifications", params={"state": "given_up"})).json()
    assert listed["notifications"] == [one]
    assert (await local.get("/api/notifications", params={"target": "few"})).json()["notifications"] == []
    (other,) = (await local.get("/api/jobs")).json()["jobs"]
    assert other["notifications"] is None


async def test_a_target_that_is_gone_is_shown_and_enabled_again(runtime, targets, local, web):
    targets.answers["chat"].append(GONE)
    await finished(runtime, targets, local, "chat")
    document = (await local.get("/api/notifications/targets")).json()["targets"]
    assert "hidden" not in str(document)
    chat = next(one for one in document if one["name"] == "chat")
    assert (chat["address"], chat["disabled_reason"]) == ("https://chat.example/***", "answered 410")
    health = (await local.get("/health")).json()
    assert any("greenroom notifications enable chat" in one for one in health["reasons"])
    lead = await bearer(runtime, "lead", "cem")
    assert (await web.post("/api/notifications/targets/chat/enable", headers=lead)).status_code == 403
    enabled = (await local.post("/api/notifications/targets/chat/enable")).json()["targets"]
    assert [one["disabled_at"] for one in enabled] == [None] * 3
    assert (await local.get("/health")).json()["status"] == "ok"
    types = [event.type for event in await runtime.event_reader.past_events()]
    assert types.count("notification_target_disabled") == types.count("notification_target_enabled") == 1


async def test_an_unknown_target_is_not_enabled(local):
    answer = await local.post("/api/notifications/targets/caht/enable")
    assert (answer.status_code, answer.json()["detail"]) == (
        404, "there is no notification target 'caht'; did you mean chat?",
    )  # fmt: skip


async def test_a_viewer_sees_neither_list(runtime, web):
    headers = await bearer(runtime, "researcher", "bo")
    assert (await web.get("/api/notifications", headers=headers)).status_code == 403
    assert (await web.get("/api/notifications/targets", headers=headers)).status_code == 403
