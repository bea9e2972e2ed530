"""Which field of a job request may come from where (D1): every field is sent from every source.

A field that is added to ``JobRequest`` fails here until it stands in the table of ``actors.job_requests.sources`` and
has a value in ``every_source.py``; until then it is refused from everywhere.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import httpx
import pytest

from actors.api.app import create_app
from actors.job_requests import sources as request_sources
from actors.job_requests.job_request import request_from_mapping
from actors.job_requests.sources import FIELDS, NETWORK, NetworkRule, RequestSource, closed_to
from actors.jobs.notify_options import NotificationTarget, NotifyOptions
from actors.jobs.records import JobRequest
from actors.providers.entry_points import EntryPoint
from actors.providers.local import LocalOptions, LocalProvider
from actors.runtime import Parts, RunningRuntime
from actors.testing import running_runtime
from tests.api.servers import ORIGIN, bearer
from tests.job_requests.every_source import NAMES, VALUES, NotAllowed, S, Sources, base


@pytest.fixture
def sources(runtime: RunningRuntime, tmp_path: Path) -> Sources:
    runtime.ledger.outbox.options = NotifyOptions({"chat": NotificationTarget(url="https://chat.example/")})
    return Sources(runtime, tmp_path)


def test_every_field_stands_in_the_table_and_has_a_value_here() -> None:
    assert list(FIELDS) == NAMES
    assert list(VALUES) == NAMES
    written = request_from_mapping({**VALUES, "entry_point": None})
    usual = JobRequest()
    assert [name for name in NAMES if name != "entry_point" and getattr(written, name) == getattr(usual, name)] == []


def test_what_runs_a_program_never_comes_from_the_network() -> None:
    """Not even once somebody opens a field by mistake: these are closed for good (D1)."""
    for field in OF_COMMANDS:
        assert not FIELDS[field].sources & NETWORK, field
    assert FIELDS["inherited_env"].sources == {S.EMBEDDED, S.SOCKET_OWNER}


def test_for_another_user_of_the_machine_all_rules_of_tcp_hold() -> None:
    assert closed_to(S.SOCKET_OTHER) == closed_to(S.TCP)


OF_COMMANDS = {"command", "cwd", "env", "env_from", "inherited_env"}


def test_the_setting_for_commands_opens_what_belongs_to_a_command_and_nothing_else() -> None:
    """``socket.commands`` (F2); TCP gets nothing by it."""
    assert {name for name, access in FIELDS.items() if access.of_command} == OF_COMMANDS
    assert closed_to(S.SOCKET_OTHER) - closed_to(S.SOCKET_OTHER, commands=True) == OF_COMMANDS
    for source in set(S) - {S.SOCKET_OTHER}:
        assert closed_to(source, commands=True) == closed_to(source)


@pytest.mark.parametrize("field", NAMES)
async def test_another_user_who_may_submit_commands_sets_what_the_setting_opens(field: str, sources: Sources) -> None:
    if field == "after":
        await sources.runtime.submit(request_from_mapping(base(S.EMBEDDED, "config_name") | {"config_name": "earlier"}))
    if field in OF_COMMANDS or S.SOCKET_OTHER in FIELDS[field].sources:
        assert await sources.other(field, commands=True) is not None
    else:
        with pytest.raises(NotAllowed):
            await sources.other(field, commands=True)


def test_an_entry_point_has_the_fields_that_the_configuration_may_set() -> None:
    written = {attribute.name for attribute in attrs.fields(EntryPoint)}
    assert written == {name for name in NAMES if S.ENTRY_POINTS in FIELDS[name].sources}


@pytest.mark.parametrize("source", list(S))
@pytest.mark.parametrize("field", NAMES)
async def test_a_field_is_taken_or_refused_as_the_table_says(
    field: str, source: RequestSource, sources: Sources
) -> None:
    """Taken: it reaches the stored request. Refused: by name, and nothing is stored."""
    if source not in FIELDS[field].sources:
        with pytest.raises(NotAllowed):
            await sources.send(source, field)
        assert await sources.runtime.jobs.page() == []
    else:
        assert await sources.send(source, field) not in (None, getattr(JobRequest(), field)) or field == "provider"


@pytest.mark.parametrize("source", list(S))
async def test_a_field_that_nobody_opened_is_refused_from_everywhere(
    source: RequestSource, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is each new field of a request, until it stands in the table."""
    monkeypatch.setattr(request_sources, "FIELDS", {name: FIELDS[name] for name in NAMES if name != "config_name"})
    with pytest.raises(NotAllowed):
        await sources.send(source, "config_name")
    assert await sources.runtime.jobs.page() == []


@pytest.mark.parametrize("field", [name for name in NAMES if FIELDS[name].over_network is not NetworkRule.ANY])
async def test_a_researchers_token_says_for_whom_a_job_is(
    field: str, web: httpx.AsyncClient, runtime: RunningRuntime
) -> None:
    """Another's user, organisation, level or team, and a priority: refused by name, alone and in a list."""
    who = await bearer(runtime, "researcher", org_id="lab", teams=("speech",))
    body = {"provider": "scripted", field: VALUES[field]}
    alone = await web.post("/api/jobs", json=body, headers=who)
    assert (alone.status_code, alone.json()["field"]) == (403, field)
    second = await web.post("/api/jobs", json=[{"provider": "scripted"}, body], headers=who)
    assert second.status_code == 403
    assert second.json()["detail"].startswith(f"job 2: {field}: ")
    assert await runtime.jobs.page() == []


@pytest.mark.parametrize("level", ["researcher", "lead", "admin"])
async def test_a_team_is_one_that_the_token_names(level: str, web: httpx.AsyncClient, runtime: RunningRuntime) -> None:
    """At every level, and in a session that began with the token."""
    named = await bearer(runtime, level, teams=("speech", "vision"))
    session = (await web.post("/api/session", json={"token": named["Authorization"].removeprefix("Bearer ")})).json()
    assert session["teams"] == ["speech", "vision"]
    web.headers["Origin"] = ORIGIN
    for team, status in (("vision", 201), ("other", 403), ("", 201)):
        body = {"provider": "scripted", "team_id": team or None}
        assert (await web.post("/api/jobs", json=body, headers=named)).status_code == status
        assert (await web.post("/api/jobs", json=body)).status_code == status
    nothing = await bearer(runtime, level)
    refused = await web.post("/api/jobs", json={"provider": "scripted", "team_id": "vision"}, headers=nothing)
    assert (refused.status_code, refused.json()["field"]) == (403, "team_id")
    assert "it names none" in refused.json()["detail"]


CASE = {
    "entry_point": "hello",
    "params": {},
    "inherited_env": {
        "PATH": "/usr/bin:/bin",
        "PYTHONWARNINGS": "all:0:antigravity.x:0:0",
        "BROWSER": '/bin/sh -c "id #%s"',
    },
}


@pytest.mark.parametrize("level", ["researcher", "lead", "admin"])
@pytest.mark.parametrize("field", ["inherited_env", "env", "env_from", "cwd", "command"])
async def test_no_token_runs_something_else_than_the_entry_point(field: str, level: str, tmp_path: Path) -> None:
    """PYTHONWARNINGS, LD_PRELOAD, PATH or a directory of modules before an entry point is any command."""
    hello = EntryPoint(("python3", "-c", "pass"))
    local = LocalProvider(LocalOptions(entry_points={"hello": hello}), tmp_path)
    parts = Parts(in_memory=True, providers=[local])
    start = {} if field == "command" else {"entry_point": "hello"}
    body = CASE if field == "inherited_env" else {**start, field: VALUES[field]}
    async with running_runtime(parts=parts) as runtime:
        who = await bearer(runtime, level)
        transport = httpx.ASGITransport(app=create_app(runtime))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            answered = await http.post("/api/jobs", json=body, headers=who)
        assert answered.json()["field"] == field
        assert answered.status_code == (422 if field == "inherited_env" else 403)
        assert await runtime.jobs.page() == []
    if field == "inherited_env":
        assert "unknown field" in answered.json()["detail"]
