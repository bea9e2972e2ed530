"""Two people, a viewer, a stranger and root at one supervisor, each as himself with real commands (F2)."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator

import attrs
import orjson
import pytest

from tests.cli.conftest import MOST_SECONDS, stop
from tests.cli.other_users import (
    ANA,
    BO,
    CY,
    EVE,
    GROUP,
    IN_NAMESPACE,
    NOT_ROOT,
    OWNER,
    SUPERUSER,
    Machine,
    machine,
)

pytestmark = pytest.mark.parts
SETTINGS = f"""
http: {{enabled: false}}
socket: {{group: {GROUP.gr_name}, directory: DIRECTORY}}
users:
  {ANA.pw_name}: {{level: lead, org: lab, teams: [vision]}}
  {CY.pw_name}: {{level: viewer}}
providers: {{local: {{cpus: 8}}}}
approvals:
  default_rules: false
  rules: [{{name: big, condition: cost_exceeds, value: 100, required_approver_level: lead}}]
entry_points:
  hello: {{command: [echo, hello]}}
  long: {{command: [sleep, "600"]}}
"""


def settings(at: Machine, **more: str) -> str:
    text = SETTINGS.replace("DIRECTORY", str(at.directory))
    for key, value in more.items():
        text = text.replace(f"group: {GROUP.gr_name}", f"group: {GROUP.gr_name}, {key}: {value}")
    return text


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    """A machine with a supervisor that runs."""
    with machine() as found:
        found.configure(settings(found))
        with found.running():
            yield found


def names(jobs: list[dict[str, str]]) -> set[str]:
    return {job["user_id"] for job in jobs}


def test_the_directory_is_the_groups_to_enter_and_the_state_directory_nobodys(here: Machine) -> None:
    for path, mode in ((here.directory, 0o750), (here.directory / "greenroom.sock", 0o660)):
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (OWNER.pw_uid, GROUP.gr_gid, mode)
    state = (here.owner.home / "state").stat()
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (OWNER.pw_uid, 0o700)


def test_each_sees_what_the_level_allows(here: Machine) -> None:
    """A researcher and root their own jobs, a lead and the supervisor's user everybody's; others' are not there."""
    ana, bo, cy, root = (here.person(who) for who in (ANA, BO, CY, SUPERUSER))
    made = {one.name: one.json("submit", "--entry-point", "hello", "--wait")["job_id"] for one in (ana, bo, root)}
    assert {name: here.owner.json("show", job)["user_id"] for name, job in made.items()} == {
        name: name for name in made
    }
    assert names(bo.json("jobs")) == {bo.name}
    assert names(root.json("jobs")) == {root.name}
    assert cy.json("jobs") == []
    assert names(ana.json("jobs")) >= set(made)
    assert bo.type("logs", made[bo.name]).stdout == "hello\n"
    for other in (bo, cy, root):
        for command in ("show", "logs", "cancel"):
            said = other.refused(command, made[ana.name])
            assert said == f"there is no job {made[ana.name]!r}" or "needs level researcher" in said
    assert ana.type("logs", made[bo.name]).stdout == "hello\n"


def test_each_has_the_organisation_and_teams_of_the_settings(here: Machine) -> None:
    ana, bo = here.person(ANA), here.person(BO)
    job = ana.json("submit", "--entry-point", "hello", "--team", "vision", "--priority", "30")
    assert (job["org_id"], job["team_id"], job["user_levels"]) == ("lab", "vision", ["lead"])
    assert bo.json("submit", "--entry-point", "hello")["org_id"] is None
    for words in (
        ["--team", "vision"],
        ["--org", "lab"],
        ["--user", ana.name],
        ["--level", "lead"],
        ["--priority", "30"],
    ):
        bo.refused("submit", *words, "--entry-point", "hello")


def test_each_may_cancel_what_the_level_allows(here: Machine) -> None:
    ana, bo, root = (here.person(who) for who in (ANA, BO, SUPERUSER))
    first, second, third = (one.json("submit", "--entry-point", "long")["job_id"] for one in (bo, bo, ana))
    assert root.refused("cancel", first) == f"there is no job {first!r}"
    assert root.refused("cancel", "--name", "long", "--user", bo.name, "--yes").endswith("needs level lead")
    assert "no job" in root.refused("cancel", "--name", "long", "--yes")
    bo.json("cancel", first)
    ana.json("cancel", second)
    here.owner.json("cancel", third)


def test_an_approval_takes_the_level_that_it_asks_for(here: Machine) -> None:
    ana, bo = here.person(ANA), here.person(BO)
    job = bo.json("submit", "--entry-point", "hello", "--cost", "500")["job_id"]
    assert "needs level lead" in bo.refused("approve", job)
    assert ana.json("approve", job)["decided_by"] == ana.name


def test_a_command_is_refused_with_what_to_do_instead(here: Machine) -> None:
    for who in (ANA, BO, SUPERUSER):
        said = here.person(who).refused("submit", "--", "id")
        assert said.startswith("command: is for the supervisor's own user")
        assert said.endswith(
            "greenroom submit --entry-point NAME --set KEY=VALUE (the supervisor's configuration has the names)"
        )
    for owner in (here.owner, here.person(OWNER)):  # on the shared socket, too, the supervisor's user may do everything
        assert owner.json("submit", "--wait", "--", "true")["status"] == "completed"


def test_root_is_no_operator(here: Machine) -> None:
    """Neither on the shared socket nor on that of the state directory, which root can open."""
    root = here.person(SUPERUSER)
    assert "needs level admin, not researcher" in root.refused("limits", "set", "total", "3")
    assert "supervisor's own user" in root.refused("open")
    state = {"GREENROOM_SOCKET": "", "GREENROOM_HOME": here.owner.environment["GREENROOM_HOME"]}
    assert "requests of user" in here.person(SUPERUSER, **state).refused("cancel", "x")


def test_who_is_root_in_a_namespace_of_their_own_is_who_they_are(here: Machine) -> None:
    bo = attrs.evolve(here.person(BO), before=("unshare", "--map-root-user"))
    if subprocess.run([*bo.before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this kernel makes no user namespaces for users: kernel.unprivileged_userns_clone=1")
    assert bo.json("submit", "--entry-point", "hello")["user_id"] == bo.name
    assert names(bo.json("jobs")) == {bo.name}


def test_who_is_not_in_the_group_cannot_connect(here: Machine) -> None:
    eve = here.person(EVE, is_member=False)
    assert "you may not use the socket" in eve.refused("jobs")
    assert "you may not use the socket" in eve.refused("submit", "--entry-point", "hello")


def test_the_option_names_the_socket_or_its_directory(here: Machine) -> None:
    plain = here.person(ANA, GREENROOM_SOCKET="/nowhere")
    for named in (here.directory, here.directory / "greenroom.sock"):
        assert plain.json("jobs", "--socket", str(named)) is not None
    assert "no supervisor listens on /nowhere" in plain.refused("jobs")


def test_doctor_says_what_a_user_may_know(here: Machine) -> None:
    for who in (ANA, BO):
        assert here.person(who).json("doctor")[0]["subject"] == "supervisor"


def test_with_commands_allowed_they_run_as_the_supervisors_user() -> None:
    """With the submitter's environment and directory, as its jobs; the log and doctor say so."""
    with machine() as found:
        found.configure(settings(found, commands="true"))
        with found.running():
            bo = attrs.evolve(found.person(BO), home=found.place)
            bo.environment["SEED"] = "7"
            script = 'id -u; pwd; echo "$SEED"'
            job = bo.json("submit", "--wait", "--env-from", "SEED", "--", "sh", "-c", script)
            assert (job["user_id"], job["exit_code"]) == (bo.name, 0)
            assert bo.type("logs", job["job_id"]).stdout.split() == [str(OWNER.pw_uid), str(found.place), "7"]
            findings = orjson.loads(found.owner.type("doctor", "--json", "--config", str(found.config)).stdout)
            (finding,) = [one for one in findings if one["subject"] == "commands of other users"]
            assert finding["ok"]
            assert finding["found"].startswith(f"run as {OWNER.pw_name}: who is in group {GROUP.gr_name} can")


def test_after_a_kill_the_next_supervisor_serves_them_again() -> None:
    """The socket that it left is replaced; until then it is one sentence, and nothing is read instead (C4)."""
    with machine() as found:
        found.configure(settings(found))
        bo = found.person(BO)
        with found.running() as process:
            bo.json("submit", "--entry-point", "hello", "--wait")
            process.kill()
            process.wait(MOST_SECONDS)
            assert found.directory.joinpath("greenroom.sock").is_socket()
            for command in ("jobs", "queue"):
                assert "no supervisor listens on" in bo.refused(command)
        with found.running():
            assert names(bo.json("jobs")) == {bo.name}
            second = found.owner.start("run", "--config", str(found.config))
            assert "is held by the supervisor with pid" in stop(second, 0)


def test_a_socket_of_somebody_else_is_not_trusted(here: Machine) -> None:
    """In a place where several may write, whoever listens."""
    shared = here.place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(shared / "greenroom.sock"))
        (shared / "greenroom.sock").chmod(0o666)
        os.seteuid(EVE.pw_uid)
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        assert f"the server on {shared}/greenroom.sock runs as {EVE.pw_name}" in here.person(
            BO, GREENROOM_SOCKET=str(shared)
        ).refused("jobs")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"group: {GROUP.gr_name}", "there is no group no-such-group; make it (groupadd no-such-group)"),
        ("directory: DIRECTORY", "cannot make /greenroom-run: Permission denied; give socket.directory one that"),
    ],
)
def test_a_socket_that_cannot_be_had_ends_the_start(change: str, said: str) -> None:
    with machine() as found:
        wrong = {"group": "group: no-such-group", "directory": "directory: /greenroom-run"}[change.split(":")[0]]
        found.configure(SETTINGS.replace(change, wrong).replace("DIRECTORY", str(found.directory)))
        done = found.owner.type("run", "--config", str(found.config))
        assert done.returncode == 1
        assert done.stderr.startswith(f"greenroom: {said}")
        assert done.stderr.count("\n") == 1


if os.geteuid() != 0:

    def test_all_of_this_in_a_user_namespace() -> None:
        try:
            subprocess.run([*IN_NAMESPACE, "true"], check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            pytest.skip(NOT_ROOT)
        argv = [*IN_NAMESPACE, sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", __file__]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=10 * MOST_SECONDS)
        assert done.returncode == 0, done.stdout
