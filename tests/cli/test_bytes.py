"""Bytes that are not UTF-8 on the command line: they reach the job, are shown by their number, and break nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

BAD = os.fsdecode(b"caf\xe9")


def lines_of_error(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parts
def test_words_directory_and_variables_reach_the_job_unchanged(terminal: Any, supervisor: Any) -> None:
    """B21 by the whole way: command line, socket, store, record, shim, program; and the log gives the bytes back."""
    folder = terminal.cwd / BAD
    folder.mkdir()
    script = 'printf %s "$1"; printf %s "$A"; pwd; printf %s "$PATH"'
    terminal.environment["PATH"] += f":/opt/{BAD}"
    words = (
        "submit",
        "--wait",
        "--json",
        "--cwd",
        str(folder),
        "--env",
        f"A={BAD}",
        "--",
        "sh",
        "-c",
        script,
        "x",
        BAD,
    )
    job = terminal.json(*words)
    assert job["status"] == "completed"
    assert job["command"][-1] == r"caf\xe9"
    program = [*terminal.program, "logs", job["job_id"]]
    output = subprocess.run(program, cwd=terminal.cwd, env=terminal.environment, capture_output=True, check=True).stdout
    assert output == b"caf\xe9caf\xe9" + os.fsencode(folder) + b"\n" + os.fsencode(terminal.environment["PATH"])
    shown = terminal.type("show", job["job_id"])
    assert r"caf\xe9" in shown.stdout
    assert terminal.type("jobs").returncode == 0


@pytest.mark.parts
def test_a_program_or_directory_that_is_not_there_is_named(terminal: Any, supervisor: Any) -> None:
    """When it is submitted, and without that check in its job's reason."""
    refused = terminal.type("submit", "--", f"/bin/{BAD}")
    assert (refused.returncode, r"command: '/bin/caf\xe9' does not exist" in refused.stderr) == (2, True)
    refused = terminal.type("submit", "--cwd", f"/nowhere/{BAD}", "--", "true")
    assert (refused.returncode, r"cwd: '/nowhere/caf\xe9' does not exist" in refused.stderr) == (2, True)
    done = terminal.type("submit", "--no-check", "--wait", "--", f"/bin/{BAD}")
    assert done.returncode == 127, done.stderr
    assert r"warning: command: '/bin/caf\xe9' does not exist" in done.stderr
    assert r"program not found: /bin/caf\xe9" in done.stdout
    done = terminal.type("submit", "--no-check", "--wait", "--cwd", f"/nowhere/{BAD}", "--", "true")
    assert r"/nowhere/caf\xe9 cannot be used" in done.stdout


@pytest.mark.parts
def test_a_job_file_says_bytes_in_base64_and_may_lie_in_any_directory(terminal: Any, supervisor: Any) -> None:
    folder = terminal.cwd / BAD
    folder.mkdir()
    (folder / "jobs.yaml").write_text(
        "jobs:\n  - {name: a, command: [printf, '%s', {base64: Yf9i}], cwd: .}\n  - {name: b, command: [pwd], cwd: .}\n"
    )
    made = terminal.json("submit", "--file", str(folder / "jobs.yaml"), "--wait", "--json")
    assert [job["status"] for job in made] == ["completed", "completed"]
    assert made[0]["command"][2] == r"a\xffb"
    again = terminal.json("submit", "--file", str(folder / "jobs.yaml"), "--json")
    assert [job["created"] for job in again] == [False, False]


@pytest.mark.parametrize(
    "words",
    [
        ("cancel", BAD), ("show", BAD), ("logs", BAD), ("retry", BAD), ("approve", BAD),
        ("reject", "x", "--reason", BAD),
        ("submit", "--name", BAD, "--", "true"), ("submit", "--key", BAD, "--", "true"),
        ("submit", "--env", f"{BAD}=1", "--", "true"), ("submit", "--set", f"a={BAD}"), ("queue", "pause", BAD),
        ("limits", "set", BAD, "1"), ("token", "create", "--user", BAD), (BAD,), ("jobs", "--user", BAD),
    ],
    ids=lambda words: " ".join(words).encode("utf-8", "surrogateescape").hex()[:24],
)  # fmt: skip
def test_ids_names_and_reasons_are_text(terminal: Any, words: tuple[str, ...]) -> None:
    """One sentence and exit status 2, before anybody is asked."""
    done = terminal.type(*words)
    assert done.returncode == 2, done
    assert (
        "must be UTF-8 text" in lines_of_error(done) or "there is no command" in done.stderr or "--env" in done.stderr
    )


VARIABLES = [
    "GREENROOM_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "HOME", "PATH",
    "SIMPLETUNER_ENTERPRISE_CONFIG", "SIMPLETUNER_LOG_FILE", "SIMPLETUNER_LOG_LEVEL", "SIMPLETUNER_JOB_POLL_INTERVAL",
]  # fmt: skip


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_variable_breaks_a_command(terminal: Any, tmp_path: Path, variable: str) -> None:
    terminal.environment[variable] = f"{tmp_path}/{BAD}"
    for words in (("doctor", "--json"), ("config", "show", "--json"), ("jobs",)):
        done = terminal.type(*words)
        assert done.returncode in (0, 1, 2)
        assert "Traceback" not in done.stderr


def test_a_state_directory_whose_path_is_not_utf8_is_refused_in_one_sentence(terminal: Any, tmp_path: Path) -> None:
    terminal.environment["GREENROOM_HOME"] = f"{tmp_path}/{BAD}"
    done = terminal.type("run", "--until-idle")
    assert done.returncode == 1
    assert r"caf\xe9, is not UTF-8; set GREENROOM_HOME to another" in lines_of_error(done)


@pytest.mark.parts
@pytest.mark.parametrize("strictness", ["strict", "surrogateescape"])
def test_paths_are_shown_wherever_they_are_printed_whatever_the_locale_allows(terminal: Any, strictness: str) -> None:
    """Most locales refuse such a character on standard output: that was a traceback."""
    folder = terminal.cwd / BAD
    folder.mkdir()
    (folder / "greenroom.yaml").write_text("limits: {total: 3}")
    environment = {**terminal.environment, "PYTHONIOENCODING": f"utf-8:{strictness}"}

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            [*terminal.program, *words], cwd=folder, env={**environment, **more}, capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr
        return (done.stdout + done.stderr).decode()

    assert r"caf\xe9/greenroom.yaml: nothing is wrong" in run("config", "check")
    assert r"caf\xe9 yet" in run("jobs", GREENROOM_HOME=str(terminal.cwd / BAD))
