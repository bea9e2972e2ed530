"""Another user of this machine is held to the rules of TCP, on every route and at every level (F2)."""

from __future__ import annotations

import json
from typing import Any

import attrs
import orjson
import pytest

from actors.access.peer import Peer
from actors.access.users import SocketUsers, UserRights
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.api.options import HttpOptions
from actors.jobs.levels import LEVELS
from actors.runtime import RunningRuntime
from actors.testing.runtime import request
from logconf.asgi import App
from tests.access import test_routes as over_tcp
from tests.access.test_routes import DECLARED, IDS, NOT_LET_IN, TABLE, Answer, Stage, ask, filled
from tests.access.test_routes import stage as stage  # a fixture

NAMES = {1001: "ana", 1002: "bo", 0: "root"}
ANA, BO, ROOT, NAMELESS = 1001, 1002, 0, 4711
OWN = [route for route in DECLARED if TABLE[route].own in ("job", "approval")]


def app_for(runtime: RunningRuntime, uid: int, *, commands: bool = False, per_minute: int = 100_000, **ana: Any) -> App:
    """The application as the user with number ``uid`` finds it on the shared socket. ``ana``: her rights."""
    users = SocketUsers({"ana": UserRights(**ana)}, NAMES.get, commands=commands)
    app = create_app(runtime, HttpOptions(requests_per_minute=per_minute), users=users)
    return asked_by(app, Peer(uid, "", "viewer", via="socket_other"))


class SharedStage(Stage):
    """The same stage; who asks is ana, on the shared socket."""

    async def ask(self, method: str, path: str, who: str | None = None, **headers: str) -> Answer:
        """One request by ana, who has this level."""
        assert who is not None
        return await ask(app_for(self.runtime, ANA, level=who), method, path, headers)


@pytest.fixture
def shared(stage: Stage) -> SharedStage:
    return SharedStage(**{one.name: getattr(stage, one.name) for one in attrs.fields(Stage)})


def body_of(answer: Answer) -> Any:
    return orjson.loads(answer.body)


@pytest.mark.parametrize(("method", "path"), DECLARED, ids=IDS)
async def test_who_may(method: str, path: str, shared: SharedStage) -> None:
    """403 below the level that the route names, let in above it; what is for the operator alone is for nobody here."""
    need = TABLE[method, path]
    for level in LEVELS:
        answer = await shared.ask(method, filled(path, shared.anas), level)
        if need.socket or (need.level is not None and LEVELS.index(level) < LEVELS.index(need.level)):
            assert answer.status == 403, level
        elif need.level is not None:
            assert answer.status not in NOT_LET_IN, (level, answer)
        else:
            assert answer.status not in (403, 421), (level, answer)


@pytest.mark.parametrize(("method", "path"), OWN, ids=lambda value: value)
async def test_what_is_somebody_elses_is_not_there(method: str, path: str, shared: SharedStage) -> None:
    await over_tcp.test_what_is_somebody_elses_is_not_there(method, path, shared)


@pytest.mark.parametrize("path", [path for method, path in DECLARED if method == "GET" and "{" not in path])
async def test_no_list_tells_a_viewer_of_somebody_elses_jobs(path: str, shared: SharedStage) -> None:
    await over_tcp.test_no_list_tells_a_viewer_of_somebody_elses_jobs(path, shared)


async def test_a_token_and_a_word_about_oneself_change_nothing(stage: Stage) -> None:
    """The kernel says who it is; what a request says about that is not looked at."""
    told = {"Authorization": f"Bearer {stage.tokens['admin']}", "X-Request-Source": "socket_owner", "Host": "x"}
    for uid, name in ((BO, "bo"), (ROOT, "root")):
        found = body_of(await ask(app_for(stage.runtime, uid), "GET", "/api/session", told))
        assert (found["user_id"], found["level"], found["via"]) == (name, "researcher", "socket_other")
        assert found["commands"] is False
        assert (await ask(app_for(stage.runtime, uid), "GET", "/api/tokens", told)).status == 403


async def test_a_user_without_a_name_is_refused_in_one_sentence(stage: Stage) -> None:
    for method, path in DECLARED:
        answer = await ask(app_for(stage.runtime, NAMELESS), method, filled(path, stage.anas), {})
        assert answer.status == 403
        assert body_of(answer)["detail"].startswith(f"uid {NAMELESS} has no name on this machine")


async def test_each_user_has_a_rate_of_requests(runtime: RunningRuntime) -> None:
    users = SocketUsers({}, NAMES.get)
    app = create_app(runtime, HttpOptions(requests_per_minute=3), users=users)
    ana, bo = (asked_by(app, Peer(uid, "", "viewer", via="socket_other")) for uid in (ANA, BO))
    assert [(await ask(ana, "GET", "/api/jobs", {})).status for _ in range(4)] == [200, 200, 200, 429]
    assert (await ask(bo, "GET", "/api/jobs", {})).status == 200


async def submitted(app: App, **fields: Any) -> Answer:
    body = json.dumps({"provider": "scripted", **fields}).encode()
    return await ask(app, "POST", "/api/jobs", {"Content-Type": "application/json"}, body)


async def test_jobs_are_of_the_user_with_organisation_teams_and_level_of_the_settings(runtime: RunningRuntime) -> None:
    ana = app_for(runtime, ANA, level="lead", org="lab", teams=("vision",))
    job = body_of(await submitted(ana, team_id="vision", priority_override=30))
    assert (job["user_id"], job["org_id"], job["team_id"]) == ("ana", "lab", "vision")
    assert job["user_levels"] == ["lead"]
    for fields in ({"user_id": "bo"}, {"org_id": "shop"}, {"team_id": "speech"}, {"user_levels": ["admin"]}):
        answer = await submitted(ana, **fields)
        assert (answer.status, body_of(answer)["field"]) == (403, next(iter(fields)))
    assert (await submitted(app_for(runtime, ROOT), priority_override=30)).status == 403


async def test_a_command_runs_where_the_setting_allows_it(runtime: RunningRuntime) -> None:
    """Then bytes that are not UTF-8 are taken, too, as from the operator."""
    for words, shown in ((["true"], ["true"]), ([{"base64": "/w=="}], ["\\xff"])):
        assert (await submitted(app_for(runtime, BO), command=words)).status in (403, 422)
        job = body_of(await submitted(app_for(runtime, BO, commands=True), command=words))
        assert (job["user_id"], job["command"]) == ("bo", shown)


async def test_a_retry_takes_a_command_where_it_is_allowed_and_nobody_elses_environment(
    runtime: RunningRuntime,
) -> None:
    before = await runtime.submit(
        attrs.evolve(
            request(user_id="bo", duration=0), command=("true",), env={"KEY": "bos"}, inherited_env={"TOKEN": "bos"}
        )
    )
    await runtime.wait(before.job_id)
    url = f"/api/jobs/{before.job_id}/retry"
    refused = await ask(app_for(runtime, ANA, level="lead"), "POST", url, {})
    assert refused.status == 403
    assert "supervisor's own user alone may retry" in body_of(refused)["detail"]
    made = body_of(await ask(app_for(runtime, ANA, level="lead", commands=True), "POST", url, {}))
    again = (await runtime.jobs.get(made["job_id"])).job.request
    assert (again.user_id, again.command, again.env) == ("ana", ("true",), {})
    assert "TOKEN" not in (again.inherited_env or {})
    own = body_of(await ask(app_for(runtime, BO, commands=True), "POST", url, {}))
    assert (await runtime.jobs.get(own["job_id"])).job.request.env == {"KEY": "bos"}


async def test_the_document_shows_the_fields_that_this_user_may_set(runtime: RunningRuntime) -> None:
    for commands in (False, True):
        found = body_of(await ask(app_for(runtime, BO, commands=commands), "GET", "/api/openapi.json", {}))
        shown = found["components"]["schemas"]["JobRequest"]["properties"]
        assert ("command" in shown, "inherited_env" in shown) == (commands, commands)
        assert "parameters" not in shown
