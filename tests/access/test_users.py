"""Who another user of this machine is on the shared socket: the section ``users``, and the machine's table of users."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.access.users import KEPT_SECONDS, LOOK_UP_SECONDS, NOBODY, SocketUsers, UserRights
from actors.job_requests.sources import RequestSource
from actors.jobs.refusal import RefusalKind, Refused
from actors.settings import Settings, SettingsError

ANA, BO, ROOT = 1001, 1002, 0
NAMES = {ANA: "ana", BO: "bo", ROOT: "root"}
USERS = {"ana": UserRights("lead", "lab", ("vision",))}


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "greenroom.yaml"
    file.write_text(text)
    return Settings.load(file, {}, tmp_path, tmp_path)


def users(name_of: Callable[[int], str | None] = NAMES.get, **more: bool) -> SocketUsers:
    return SocketUsers(USERS, name_of, **more)


async def test_a_user_has_the_level_organisation_and_teams_of_the_settings() -> None:
    ana = await users().peer(ANA)
    assert (ana.name, ana.level, ana.org_id, ana.teams, ana.only_user) == ("ana", "lead", "lab", ("vision",), None)
    assert (ana.source, ana.is_local, ana.submitter.commands) == (RequestSource.SOCKET_OTHER, False, False)


@pytest.mark.parametrize("uid", [BO, ROOT])
async def test_a_user_whom_they_do_not_name_is_a_researcher_root_too(uid: int) -> None:
    other = await users().peer(uid)
    assert (other.level, other.org_id, other.teams, other.only_user) == ("researcher", None, (), NAMES[uid])
    assert not other.is_local


async def test_requests_of_each_user_are_counted_by_themselves() -> None:
    everybody = users()
    assert {(await everybody.peer(uid)).key for uid in NAMES} == {"uid:1001", "uid:1002", "uid:0"}


async def test_commands_are_allowed_where_the_settings_say_so() -> None:
    assert (await users(commands=True).peer(BO)).submitter.commands


@pytest.mark.parametrize(("uid", "reason"), [(4711, "has no name on this machine"), (NOBODY, "stands for every user")])
async def test_a_number_that_may_be_anybodys_is_refused(uid: int, reason: str) -> None:
    """Jobs under it would belong to whoever gets that number, or has none here."""
    with pytest.raises(Refused, match=reason) as refused:
        await SocketUsers({}, {NOBODY: "nobody"}.get).peer(uid)
    assert refused.value.kind is RefusalKind.FORBIDDEN


async def test_a_name_is_looked_up_once_a_minute(mock_clock: MockClock) -> None:
    asked = []
    everybody = users(lambda uid: asked.append(uid) or "ana")  # type: ignore[func-returns-value]
    for _ in range(3):
        await everybody.peer(ANA)
    assert asked == [ANA]
    mock_clock.jump(KEPT_SECONDS)
    await everybody.peer(ANA)
    assert asked == [ANA, ANA]


async def test_a_table_of_users_that_does_not_answer_is_waited_for_some_seconds(mock_clock: MockClock) -> None:
    """Nor does its silence count as an answer: the next request asks again."""
    asked, answers, refused = trio.Event(), threading.Event(), list[Refused]()

    def name_of(_uid: int) -> str:
        trio.from_thread.run_sync(asked.set)
        answers.wait()
        return "ana"

    everybody = users(name_of)

    async def ask() -> None:
        with pytest.raises(Refused, match="table of users does not answer") as caught:
            await everybody.peer(ANA)
        refused.append(caught.value)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await asked.wait()
            mock_clock.jump(LOOK_UP_SECONDS)
    finally:
        answers.set()
    assert refused[0].kind is RefusalKind.UNAVAILABLE
    assert (await everybody.peer(ANA)).name == "ana"


async def test_a_table_of_users_that_fails_is_no_user_without_a_name() -> None:
    def name_of(_uid: int) -> str:
        raise OSError

    with pytest.raises(Refused) as refused:
        await users(name_of).peer(ANA)
    assert refused.value.kind is RefusalKind.UNAVAILABLE


def test_the_sections_are_read(tmp_path: Path) -> None:
    text = "socket: {group: lab, commands: true}\nusers: {ana: {level: lead, org: lab, teams: [vision]}, bo: {}}\n"
    found = loaded(tmp_path, text)
    assert found.users == {**USERS, "bo": UserRights()}
    assert found.socket is not None
    assert (found.socket.group, found.socket.directory, found.socket.commands) == ("lab", Path("/run/greenroom"), True)
    assert loaded(tmp_path, "{}\n").socket is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("socket: {}\n", "socket.group: is missing"),
        ("socket: {group: ''}\n", "socket.group: must be the name of a group"),
        ("socket: {group: lab, directory: run}\n", "socket.directory: must begin with /, not run"),
        ("socket: {group: lab, comands: true}\n", "socket.comands: unknown key; did you mean commands?"),
        ("socket: {group: lab, commands: please}\n", "socket.commands: must be true or false"),
        ("users: {ana: {level: leed}}\n", "users.ana.level: cannot be 'leed'; did you mean lead?"),
        ("users: {ana: lead}\n", "users.ana: must be a mapping"),
        ("users: {ana: {team: vision}}\n", "users.ana.team: unknown key; did you mean teams?"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_rights_without_a_socket_are_noted(tmp_path: Path) -> None:
    notes = [note.message for note in loaded(tmp_path, "users: {ana: {}}\n").notes]
    assert notes == ["users has no effect without a socket for other users: set socket.group"]
