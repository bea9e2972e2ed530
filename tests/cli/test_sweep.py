"""Sweeps from the shell and from files, beside a real supervisor and in `run` (E2)."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import click
import pytest

from actors.cli.job_text import how_many
from actors.cli.sweep import directory, matrix_of

FILE = """
defaults: {group: rates}
jobs:
  - {name: bad, command: [sh, -c, "test -e mended"]}
  - name: "t-{lr}"
    command: [sh, -c, 'pwd; echo "{{\\"loss\\": {lr}}}" > "$GREENROOM_PROGRESS_FILE"']
    matrix: {lr: [0.1, 0.20]}
"""
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lr=0.1,0.20", ["0.1", "0.20"]), ("lr=1..5", {"from": "1", "to": "5"}), ("lr=a=b", ["a=b"]),
        ("lr=10..0..-5", {"from": "10", "to": "0", "step": "-5"}), ("lr=../a,../b", ["../a", "../b"]),
        ('lr=["a,b", 0.20, 1e-4, ""]', ["a,b", "0.20", "1e-4", ""]), ("lr=x", ["x"]), ("lr=a, b", ["a", " b"]),
    ],
)  # fmt: skip
def test_values_are_a_list_a_range_or_json(text: str, values: Any) -> None:
    assert matrix_of((text, "s=1")) == {"lr": values, "s": ["1"]}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("lr=0.1..0.5",), "a range is of whole numbers, such as 1..5 or 0..100..10; list other values: lr=A,B"),
        (("lr=a..c",), "a range is of whole numbers"),
        (("lr=1,,2",), """a value is empty; as a JSON list it may be: lr='["", "a,b"]'"""),
        (("lr=",), "a value is empty"),
        (("lr=[1,",), "lr: begins as a JSON list and is none"),
        (("lr",), "must be NAME=VALUES, such as lr=0.1,0.2 or seed=1..5, not 'lr'"),
        (("lr=1", "lr=2"), "lr is given twice; list all of its values in one"),
        (("exclude=1",), "no parameter can be called exclude"),
    ],
)
def test_what_is_no_list_of_values_says_how_to_write_one(given: tuple[str, ...], words: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        matrix_of(given)
    assert words in caught.value.message


def test_braces_of_the_present_directory_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "{lr}").mkdir()
    monkeypatch.chdir(tmp_path / "{lr}")
    assert directory(None) == f"{tmp_path}/{{{{lr}}}}"
    assert directory("{lr}/x") == f"{tmp_path}/{{{{lr}}}}/{{lr}}/x"
    assert directory("/{lr}") == "/{lr}"


def test_a_submission_is_counted_in_words() -> None:
    new, there, failed = (
        {"created": created, "status": status}
        for created, status in ((True, "pending"), (False, "completed"), (False, "failed"))
    )
    assert how_many([new, new]) == "2 new"
    assert how_many([new, new, *[there] * 9, failed]) == "2 new, 10 already there (1 failed)"
    assert how_many([there]) == "1 already there"


@pytest.mark.parts
def test_a_sweep_from_the_shell_is_one_job_for_each_combination(terminal: Any, supervisor: Any) -> None:
    done = terminal.json(
        "submit", "--sweep", "lr=0.1,0.20", "--sweep", "seed=1..2", "--group", "g", "--name", "t-{lr}-{seed}", "--wait",
        "--json", "--", "sh", "-c", "echo {lr} {seed} {{x}}",
    )  # fmt: skip
    assert [(job["config_name"], job["parameters"], job["group"]) for job in done] == [
        ("t-0.1-1", {"lr": "0.1", "seed": "1"}, "g"), ("t-0.1-2", {"lr": "0.1", "seed": "2"}, "g"),
        ("t-0.20-1", {"lr": "0.20", "seed": "1"}, "g"), ("t-0.20-2", {"lr": "0.20", "seed": "2"}, "g"),
    ]  # fmt: skip
    assert terminal.type("logs", done[2]["job_id"]).stdout == "0.20 1 {x}\n"
    again = terminal.type("submit", "--sweep", "lr=1..3", "--", "true")
    assert again.stdout.splitlines()[-1] == "3 new"
    retried = terminal.json("retry", done[0]["job_id"], "--json")
    assert retried["parameters"] == {"lr": "0.1", "seed": "1"}


@pytest.mark.parts
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--sweep", "lr=0.1", "--", "t", "{lrr}"),
            "command[1]: has {lrr}, and the matrix has no lrr; did you mean lr",
        ),
        (
            ("--sweep", "a=1..200", "--sweep", "b=1..200", "--", "t"),
            "matrix: makes 40000 jobs, and one matrix makes at",
        ),
        (("--sweep", "a=1", "--cpus", "9999", "--", "true"), "resources: this machine has "),
        (("--again", "--", "t"), "--again and --retry-failed are about the jobs of a file: give --file"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(
    terminal: Any, supervisor: Any, words: tuple[str, ...], said: str
) -> None:
    done = terminal.type("submit", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert terminal.json("jobs", "--json") == []


@pytest.mark.parts
def test_a_file_is_submitted_again_line_by_line(terminal: Any, supervisor: Any, job_file: Any) -> None:
    name = job_file(FILE)
    first = terminal.type("submit", "--file", name, "--wait")
    assert first.stdout.splitlines()[-1] == "3 new"
    job_file(FILE.replace("[0.1,", "[0.05, 0.1,") + "  - {command: ['true']}\n")
    assert terminal.type("submit", "--file", name).stdout.splitlines()[-1] == "2 new, 3 already there (1 failed)"
    Path(terminal.cwd, "mended").touch()
    mended = terminal.json("submit", "--file", name, "--retry-failed", "--wait", "--json")
    assert [(job["config_name"], job["created"]) for job in mended if job["created"]] == [("bad", True)]
    assert {job["status"] for job in mended} == {"completed"}
    assert [job["parameters"] for job in mended[1:4]] == [{"lr": "0.05"}, {"lr": "0.1"}, {"lr": "0.20"}]
    assert terminal.type("submit", "--file", name).stdout.splitlines()[-1] == "5 already there"
    assert terminal.type("submit", "--file", name, "--again").stdout.splitlines()[-1] == "5 new"


@pytest.mark.parts
def test_run_continues_a_file_and_runs_what_is_asked_for_again(terminal: Any, job_file: Any) -> None:
    """From any directory: a job without `cwd` runs beside the file."""
    name = job_file(FILE)
    elsewhere = Path(terminal.cwd, "elsewhere")
    elsewhere.mkdir()
    terminal.cwd, name = elsewhere, str(Path(terminal.cwd, name))
    first = terminal.type("run", "--file", name, "--until-idle")
    assert "3 jobs: 3 new" in first.stdout, first.stderr
    assert "bad failed" in first.stdout
    Path(name).with_name("mended").touch()
    title, head, *rows = first.stdout.splitlines()[-5:]
    assert title.startswith("Group rates; this table again: ")
    assert title.endswith(f" compare rates --user {ME}")
    assert head.split() == ["JOB", "NAME", "STATUS", "lr", "loss", "loss.best"]
    assert [row.split()[1:] for row in rows] == [
        ["bad", "failed"], ["t-0.1", "completed", "0.1", "0.1", "0.1"], ["t-0.20", "completed", "0.20", "0.2", "0.2"],
    ]  # fmt: skip
    again = terminal.type("run", "--file", name, "--until-idle", "--retry-failed")
    assert "3 jobs: 1 new, 2 already there" in again.stdout
    assert "3 jobs: 3 completed" in again.stdout
    done = terminal.type("run", "--file", name, "--until-idle")
    assert "3 jobs: 3 already there, 3 of them ended before" in done.stdout
    assert "--again runs all of them anew" in done.stdout
