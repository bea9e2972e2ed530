"""For another user of the machine all rules of TCP hold (F2): by socket and by token commands print the same."""

from __future__ import annotations

import os

import attrs
import orjson
import pytest

from tests.cli import test_remote_same
from tests.cli.other_users import BO, GROUP, Machine, Person, machine
from tests.cli.remote_fixtures import CONFIG, PROGRAM
from tests.cli.test_remote_same import Same, played

pytestmark = pytest.mark.parts


def with_token(at: Machine, who: Person, level: str) -> Person:
    """``who`` at the supervisor's URL, with a token of this level."""
    url = at.owner.json("open")["link"].partition("/#")[0]
    made = at.owner.type("token", "create", "--user", who.name, "--level", level, "--json")
    token = orjson.loads(made.stdout)["token"]
    file = who.home / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    os.chown(file, who.who.pw_uid, who.who.pw_gid)
    more = {"GREENROOM_URL": url, "GREENROOM_TOKEN_FILE": str(file), "GREENROOM_SOCKET": ""}
    return attrs.evolve(who, environment={**who.environment, **more})


@pytest.mark.parametrize("level", ["researcher", "admin"])
def test_the_same_commands_print_the_same_by_socket_and_by_token(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_remote_same, "SCRIPT", test_remote_same.SCRIPT.replace("--level admin", ""))
    monkeypatch.setattr(test_remote_same, "JOBS", test_remote_same.JOBS.replace(", level: admin", ""))
    found = {}
    for way in ("socket", "token"):
        with machine() as here:
            (here.place / "train.sh").write_text(PROGRAM)
            users = f"users: {{{BO.pw_name}: {{level: {level}}}}}\n"
            socket = f"socket: {{group: {GROUP.gr_name}, directory: {here.directory}}}\n"
            here.configure(CONFIG.replace("FOLDER", str(here.place)) + users + socket)
            with here.running():
                bo = here.person(BO)
                by_token = with_token(here, bo, level)  # in both, so that both have it
                who = bo if way == "socket" else by_token
                found[way] = played(who, Same((str(who.cwd), str(here.place))))
    for by_socket, by_token_ in zip(found["socket"], found["token"], strict=True):
        assert by_socket == by_token_
    statuses = [one.splitlines()[1] for one in found["socket"]]
    assert statuses.count("0") >= (40 if level == "admin" else 15), statuses
