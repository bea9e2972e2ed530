"""`greenroom token` and `greenroom open` against a supervisor's real socket."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import attrs
import pytest
import trio

from actors.access.peer import Peer
from actors.runtime import RunningRuntime

Greenroom = Callable[..., Awaitable["Result"]]


@attrs.frozen
class Result:
    """What a command printed, and its exit status."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def greenroom(socket: Path, tmp_path: Path) -> Greenroom:
    """Runs a command as people do, in a process of its own."""

    async def run(*words: str) -> Result:
        done = await trio.run_process(
            [sys.executable, "-m", "actors", *words], capture_stdout=True, capture_stderr=True, check=False,
            env={**os.environ, "GREENROOM_HOME": str(tmp_path)},
        )  # fmt: skip
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


async def test_a_token_is_made_listed_and_revoked(greenroom: Greenroom, runtime: RunningRuntime) -> None:
    """The secret alone stands on stdout, so that it can be piped; no list shows it again."""
    made = await greenroom("token", "create", "--user", "bo", "--org", "lab", "--level", "lead", "--expires", "30d")
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    peer = await runtime.access.token_peer(secret)
    assert peer is not None
    assert (peer.name, peer.org_id, peer.level) == ("bo", "lab", "lead")
    listed = await greenroom("token", "list")
    assert "bo" in listed.stdout
    assert secret not in listed.stdout
    (row,) = json.loads((await greenroom("token", "list", "--json")).stdout)
    revoked = await greenroom("token", "revoke", row["token_id"][-8:])
    assert revoked.exit_code == 0
    assert await runtime.access.token_peer(secret) is None
    assert "revoked" in (await greenroom("token", "list")).stdout


async def test_a_token_names_teams(greenroom: Greenroom, runtime: RunningRuntime) -> None:
    """As often as --team is given; the list shows them."""
    made = await greenroom(
        "token", "create", "--user", "bo", "--team", "vision", "--team", "speech", "--team", "vision"
    )
    assert made.exit_code == 0, made.stderr
    peer = await runtime.access.token_peer(made.stdout.strip())
    assert peer is not None
    assert peer.teams == ("vision", "speech")
    assert "vision, speech" in (await greenroom("token", "list")).stdout
    (row,) = json.loads((await greenroom("token", "list", "--json")).stdout)
    assert row["teams"] == ["vision", "speech"]
    refused = await greenroom("token", "create", "--user", "bo", "--team", "")
    assert refused.exit_code == 2
    assert "teams: must have 1 to 200" in refused.stderr
    assert len(await runtime.access.tokens_page(limit=100)) == 1


async def test_another_users_commands_are_refused_in_one_sentence(
    greenroom: Greenroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor is another user's, and the socket could be reached, as root can."""
    own = os.geteuid()
    monkeypatch.setattr("actors.api.unix_peer.os.geteuid", lambda: own + 4000)
    for words in (("jobs",), ("submit", "--", "true"), ("token", "list")):
        done = await greenroom(*words)
        assert done.exit_code == 1, done
        assert done.stdout == ""
        assert "this socket takes requests of user" in done.stderr
        assert len(done.stderr.splitlines()) == 1


async def test_browsers_that_are_signed_in_are_listed_and_signed_out(
    greenroom: Greenroom, runtime: RunningRuntime
) -> None:
    """Those of an operator, who signed in with `greenroom open`, by one command."""
    access, hour = runtime.access, timedelta(hours=1)
    _token, secret = await access.create_token(user_id="ana", level="viewer")
    assert await access.sign_in_with_token(secret, hour) is not None
    for _ in range(2):
        assert await access.sign_in_with_code(access.codes.make(Peer(1000, "bo")), hour) is not None
    assert (await greenroom("token", "list")).stdout.count("greenroom open") == 2
    listed = [one for one in json.loads((await greenroom("token", "list", "--json")).stdout) if "session_id" in one]
    assert [(one["user_id"], one["token_id"] is None) for one in listed] == [("bo", True), ("bo", True), ("ana", False)]
    one = await greenroom("token", "revoke", "--session", listed[0]["session_id"])
    assert (one.exit_code, one.stdout) == (0, f"Session {listed[0]['session_id']} of bo is ended.\n")
    rest = await greenroom("token", "revoke", "--sessions-of", "bo")
    assert (rest.exit_code, rest.stdout) == (0, "Ended sessions of bo: 1.\n")
    assert [session.user_id for session in await access.sessions.listed()] == ["ana"]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("create", "--user", "bo", "--expires", "soon"), 2),
        (("create", "--user", "bo", "--level", "boss"), 2),
        (("create", "--user", "", "--level", "lead"), 2),
        (("create",), 2),
        (("revoke", "nothing"), 1),
        (("revoke", "--session", "nothing"), 1),
        (("revoke",), 2),
        (("revoke", "x", "--sessions-of", "bo"), 2),
    ],
)
async def test_what_makes_no_sense_is_refused(greenroom: Greenroom, words: tuple[str, ...], status: int) -> None:
    answer = await greenroom("token", *words)
    assert answer.exit_code == status, answer.stderr
    assert answer.stdout == ""


async def test_open_prints_a_link_whose_code_stands_in_the_fragment(
    greenroom: Greenroom, runtime: RunningRuntime
) -> None:
    runtime.access.address = "http://127.0.0.1:8765/"
    link = (await greenroom("open")).stdout.strip()
    assert link.startswith("http://127.0.0.1:8765/#code=")
    assert "?" not in link


async def test_open_says_why_there_is_no_link(greenroom: Greenroom) -> None:
    answer = await greenroom("open")
    assert answer.exit_code == 1
    assert "HTTP is not served" in answer.stderr
