"""F1: another machine's supervisor, with the rights of a token; what TCP does not allow, with what to do instead."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.cli.conftest import ROOT, Terminal, rest_of, stop, until
from tests.cli.remote_fixtures import Remote, serving

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A supervisor, and user ana, a researcher, at another place."""
    folder = tmp_path_factory.mktemp("remote")
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SIMPLETUNER_", "GREENROOM_"))}
    environment = {**plain, "GREENROOM_HOME": str(folder / "state"), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    (folder / "work").mkdir()
    with serving(Terminal(folder / "state", folder / "work", environment), folder / "elsewhere") as found:
        yield attrs.evolve(found, there=with_token(found, "ana", "researcher"))


def with_token(remote: Remote, user: str, level: str) -> Terminal:
    """The place elsewhere with a token of its own."""
    made = remote.here.json("token", "create", "--user", user, "--level", level, "--json")
    path = remote.token_file.with_name(made["token_id"])
    path.touch(mode=0o600)
    path.write_text(made["token"])
    there = remote.there
    return attrs.evolve(there, environment={**there.environment, "GREENROOM_TOKEN_FILE": str(path)})


def test_a_job_is_the_tokens_users_and_at_its_level(remote: Remote) -> None:
    """Over the socket it would be the user's of this machine, at no level."""
    job = remote.there.json("submit", "--entry-point", "train", "--set", "lr=0.1", "--wait", "--json")
    assert (job["user_id"], job["user_levels"], job["status"]) == ("ana", ["researcher"], "completed")
    assert job["cwd"] is None
    assert remote.there.type("logs", job["job_id"]).stdout == "lr 0.1\n"


ENTRY_POINT = "is for the supervisor's own user on the Unix socket; a job from elsewhere names an entry point\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--", "python", "train.py"), f"command: {ENTRY_POINT}greenroom submit --entry-point NAME --set KEY=VALUE"),
        (("--entry-point", "long", "--cwd", "/tmp"), f"cwd: {ENTRY_POINT}"),
        (("--entry-point", "long", "--env", "A=b"), f"env: {ENTRY_POINT}"),
        (("--entry-point", "long", "--env-from", "all"), f"env_from: {ENTRY_POINT}"),
        (("--entry-point", "long", "--user", "bo"), "user_id: any other value than your own needs level admin\n"),
        (("--entry-point", "long", "--priority", "50"), "priority_override: needs level lead\n"),
        (("--entry-point", "long", "--team", "vision"), "team_id: must be one that your token names (it names none)\n"),
    ],
)
def test_what_tcp_does_not_allow_is_refused_with_the_reason(remote: Remote, words: tuple[str, ...], said: str) -> None:
    done = remote.there.type("submit", *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"greenroom: {said}")


def test_a_job_file_with_a_command_is_refused_at_its_place_and_as_a_whole(remote: Remote) -> None:
    text = "jobs:\n- {name: fine, entry_point: train, params: {lr: 1}}\n- {name: wrong, command: ['true']}\n"
    (remote.there.cwd / "jobs.yaml").write_text(text)
    done = remote.there.type("submit", "--file", "jobs.yaml")
    assert done.returncode == 1
    assert done.stderr == f"greenroom: jobs.yaml: jobs[1] (wrong): command: {ENTRY_POINT}"
    assert remote.there.json("jobs", "--name", "fine", "--json") == []


def test_jobs_of_a_file_are_known_from_wherever_their_user_submits_them(remote: Remote) -> None:
    """The file's path and content and the user make the key, and not the way."""
    file = remote.here.cwd / "jobs.yaml"
    file.write_text("jobs:\n- {name: once, entry_point: train, params: {lr: 1}}\n")
    assert remote.here.type("submit", "--file", str(file)).stdout.endswith("1 new\n")
    own = {**remote.there.environment, "GREENROOM_TOKEN_FILE": str(remote.token_file)}
    again = attrs.evolve(remote.there, environment=own).type("submit", "--file", str(file))
    assert again.stdout.endswith("1 already there\n"), again
    assert remote.there.type("submit", "--file", str(file)).stdout.endswith("1 new\n"), "they are another user's"


def test_variables_of_the_configuration_are_not_sent_and_that_is_said(remote: Remote) -> None:
    (remote.there.cwd / "greenroom.yaml").write_text("submission: {env_from: [WANDB_*]}\n")
    try:
        done = remote.there.type("submit", "--entry-point", "train", "--set", "lr=1", "--name", "e")
    finally:
        (remote.there.cwd / "greenroom.yaml").unlink()
    assert done.returncode == 0
    assert done.stderr == ("(submission.env_from is not sent over the network: the supervisor's environment is used)\n")


def test_of_another_user_nothing_is_seen_and_what_takes_a_higher_level_is_said(remote: Remote) -> None:
    remote.here.json("submit", "--name", "roots", "--json", "--", "true")
    assert remote.there.json("jobs", "--name", "roots", "--json") == []
    done = remote.there.type("show", "roots")
    assert (done.returncode, done.stderr) == (1, "greenroom: there is no job 'roots'\n")
    done = remote.there.type("limits", "set", "total", "3")
    assert (done.returncode, done.stderr) == (1, "greenroom: this needs level admin, not researcher\n")
    admin = with_token(remote, "boss", "admin").type("retry", "roots")
    assert admin.returncode == 1
    assert "was a command, which the supervisor's own user alone may retry: greenroom retry" in admin.stderr


def test_a_link_for_the_browser_is_made_on_the_supervisors_machine(remote: Remote) -> None:
    done = remote.there.type("open")
    assert done.returncode == 1
    assert f"open {remote.url} and sign in with your token" in done.stderr


def test_doctor_checks_that_supervisor_as_far_as_the_token_reaches(remote: Remote) -> None:
    """And nothing of this machine."""
    found = {one["subject"]: one for one in remote.there.json("doctor", "--json")}
    assert found["supervisor"]["found"] == f"{remote.url}: ok"
    admin = {one["subject"] for one in with_token(remote, "boss", "admin").json("doctor", "--json")}
    assert admin == set(found) == {"supervisor", "provider local", "lost jobs"}


def test_a_token_that_was_revoked_is_said_with_its_file(remote: Remote) -> None:
    there = with_token(remote, "ana", "viewer")
    path = there.environment["GREENROOM_TOKEN_FILE"]
    assert remote.here.type("token", "revoke", Path(path).name).returncode == 0
    done = there.type("jobs")
    assert (done.returncode, done.stdout) == (1, "")
    said = f"{remote.url} does not accept the token in {path}: unknown, revoked or expired"
    assert done.stderr == f"greenroom: {said}\n"


def test_a_wait_and_a_watch_outlive_a_supervisor_that_is_killed(terminal: Terminal, tmp_path: Path) -> None:
    """It starts again at the same address; the job, which went on, ends then."""
    with serving(terminal, tmp_path / "elsewhere") as remote:
        watching = remote.there.start("watch", "--json")
        until(watching, "Connected")
        waiting = remote.there.start("submit", "--entry-point", "gate", "--name", "g", "--wait")
        until(waiting, "g is queued at its provider")
        remote.process.kill()
        until(waiting, "; going on in 1 s)")
        until(watching, "; going on in 1 s)")
        second = remote.here.start("run")
        try:
            until(second, "Supervisor is ready")
            (remote.here.cwd / "open").touch()
            assert "g: completed" in until(waiting, "g: completed")[-1]
            rest_of(waiting)
            assert waiting.returncode == 0
            lines = until(watching, '"status":"completed"')
            assert lines.count("Connected; Ctrl-C ends this.\n") == 1
            stop(watching, signal.SIGINT)
        finally:
            stop(second)


def test_watch_takes_the_same_address(remote: Remote) -> None:
    watching = remote.there.start("watch", "--url", remote.url)
    assert watching.stdout is not None
    assert watching.stdout.readline() == "Connected; Ctrl-C ends this.\n"
    job = remote.there.json("submit", "--entry-point", "train", "--set", "lr=0.1", "--name", "watched", "--json")
    line = ""
    while not line.endswith(" watched (ana) completed\n"):
        line = watching.stdout.readline()
        assert line.startswith(tuple("0123456789")), (line, job)
    assert stop(watching, signal.SIGINT) == ""
    assert watching.returncode == 130
