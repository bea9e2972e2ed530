"""Names and selections as people type them, beside a real supervisor (E1, E7)."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

WAITING = ("submit", "--json", "--needs-approval", "held back")


def submit(terminal: Any, name: str, *more: str) -> str:
    """A job that waits for an approval, so that it stays as it is."""
    found: str = terminal.json(*WAITING, "--name", name, *more, "--", "true")["job_id"]
    return found


def statuses(terminal: Any) -> dict[str, str]:
    return {job["job_id"]: job["status"] for job in terminal.json("jobs", "--json")}


def test_a_name_is_a_job_and_the_newest_of_several_is_said(terminal: Any, supervisor: Any) -> None:
    older, newer = submit(terminal, "train"), submit(terminal, "train")
    said = f"(2 jobs have this name; the newest is {newer})\n"
    shown = terminal.type("show", "train")
    assert (shown.returncode, shown.stderr) == (0, said)
    assert newer in shown.stdout
    assert terminal.type("logs", "train").stderr == said
    assert terminal.type("show", newer).stderr == ""
    refused = terminal.type("cancel", "train")
    listed = f"{newer} (pending), {older} (pending); give an id"
    assert (refused.returncode, refused.stderr) == (2, f"greenroom: 2 jobs are named 'train': {listed}\n")
    assert terminal.type("cancel", older[-8:]).returncode == 0
    unknown = terminal.type("show", "trian")
    assert (unknown.returncode, unknown.stderr) == (1, "greenroom: there is no job 'trian'; did you mean train?\n")
    assert terminal.type("approve", "train").returncode == 0


def test_names_are_read_without_a_supervisor_too(terminal: Any, request: pytest.FixtureRequest) -> None:
    supervisor = request.getfixturevalue("supervisor")
    submit(terminal, "a/b")
    newer = submit(terminal, "a/b")
    supervisor.terminate()
    supervisor.wait(60)
    for command in ("show", "logs"):
        done = terminal.type(command, "a/b")
        assert (done.returncode, f"the newest is {newer})" in done.stderr) == (0, True), done.stderr
    assert [job["job_id"] for job in terminal.json("jobs", "--json", "--name", "a*", "--limit", "1")] == [newer]
    refused = terminal.type("cancel", "a/b")
    assert (refused.returncode, "no supervisor runs" in refused.stderr) == (1, True)


def test_several_jobs_are_changed_and_each_is_reported(terminal: Any, supervisor: Any) -> None:
    jobs = {name: submit(terminal, name) for name in ("one", "two", "three")}
    done = terminal.type("cancel", "one", jobs["two"])
    assert done.returncode == 0
    assert done.stdout == f"{jobs['one']} one: cancelled\n{jobs['two']} two: cancelled\n2 jobs cancelled.\n"
    partly = terminal.type("cancel", "one", "three")
    assert (partly.returncode, partly.stdout.splitlines()[-1]) == (1, "1 job cancelled; with 1 it was not possible.")
    assert partly.stderr == f"greenroom: job {jobs['one']} has already ended (cancelled); there is nothing to cancel\n"
    again = terminal.json("retry", "--json", "one", "two", "three")
    new = [one["new_job_id"] for one in again["results"]]
    assert statuses(terminal) == {**dict.fromkeys(jobs.values(), "cancelled"), **dict.fromkeys(new, "pending")}
    raised = terminal.json("prioritise", "--json", *new, "31")
    assert raised["done"] == 3
    assert {terminal.json("show", "--json", one)["priority"] for one in new} == {31}


def test_a_selection_needs_yes_where_nobody_can_be_asked(terminal: Any, supervisor: Any) -> None:
    jobs = [submit(terminal, f"train-{index}") for index in range(3)]
    other = submit(terminal, "other")
    for command in (["cancel"], ["retry"], ["rm"], ["prioritise", "3"]):
        refused = terminal.type(*command, "--name", "train-*")
        assert (refused.returncode, "needs --yes" in refused.stderr) == (2, True)
    dry = terminal.type("cancel", "--name", "train-*", "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (0, "3 jobs would be cancelled.")
    assert set(statuses(terminal).values()) == {"pending"}
    done = terminal.type("cancel", "--name", "train-*", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 jobs cancelled.")
    again = terminal.type("retry", "--name", "train-0", "--yes")
    assert again.stdout.splitlines()[-1] == "1 job submitted again."
    terminal.type("cancel", "--name", "train-0", "--yes")
    twice = terminal.type("retry", "--name", "train-[01]", "--dry-run")
    assert twice.stdout.splitlines()[-1] == "2 jobs would be submitted again; 1 left out: submitted again before."
    assert terminal.json("rm", "--name", "train-0", "--yes", "--json")["done"] == 2
    jobs = jobs[1:]
    none = terminal.type("cancel", "--name", "train-*", "--yes")
    assert none.returncode == 1
    assert "no job that can be cancelled fits --name 'train-*'" in none.stderr
    assert statuses(terminal) == {**dict.fromkeys(jobs, "cancelled"), other: "pending"}
    gone = terminal.type("rm", "--status", "cancelled", "--user", "nobody", "--yes")
    assert gone.returncode == 1
    assert terminal.json("rm", "--status", "cancelled", "--yes", "--json")["done"] == 2
    assert statuses(terminal) == {other: "pending"}


def test_several_are_checked_before_they_are_submitted_again(terminal: Any, supervisor: Any) -> None:
    """As one would be: refused where the directory is gone, or with --no-check submitted with a warning, once."""
    gone = terminal.cwd / "gone"
    gone.mkdir()
    jobs = [submit(terminal, name, "--cwd", str(gone)) for name in ("one", "two")]
    terminal.json("cancel", "--json", *jobs)
    gone.rmdir()
    refused = terminal.type("retry", *jobs)
    assert (refused.returncode, refused.stderr.count(f"{gone}")) == (1, 2)
    assert len(statuses(terminal)) == 2
    done = terminal.type("retry", "--no-check", *jobs)
    assert (done.returncode, done.stderr.count("warning: "), "(2 jobs)" in done.stderr) == (0, 1, True), done.stderr
    assert len(statuses(terminal)) == 4


@pytest.mark.parametrize("words", [["cancel"], ["cancel", "x", "--name", "y"], ["prioritise", "3"], ["rm", "--yes"]])
def test_jobs_or_a_selection_must_be_given(terminal: Any, words: list[str]) -> None:
    done = terminal.type(*words)
    assert (done.returncode, "JOB" in done.stderr) == (2, True)


def asked(terminal: Any, answer: str, *words: str) -> tuple[int, str]:
    """A command on a terminal of its own, and what it is answered."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*terminal.program, *words], cwd=terminal.cwd, env=terminal.environment, stdin=theirs,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        os.write(ours, answer.encode())
        said, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, said


def test_on_a_terminal_more_than_one_job_asks_first(terminal: Any, supervisor: Any) -> None:
    jobs = {name: submit(terminal, name) for name in ("train-1", "train-2", "only")}
    status, said = asked(terminal, "n\n", "cancel", "--name", "train-*")
    assert (status, "2 jobs will be cancelled. Go on? [y/N]:" in said) == (1, True)
    status, said = asked(terminal, "n\n", "cancel", "train-1", "train-2")
    assert (status, f"  {jobs['train-1']} train-1 (" in said) == (1, True)
    assert set(statuses(terminal).values()) == {"pending"}
    assert asked(terminal, "", "cancel", "--name", "only") == (0, f"{jobs['only']} only: cancelled\n1 job cancelled.\n")
    status, said = asked(terminal, "y\n", "cancel", "--name", "train-*")
    assert (status, said.splitlines()[-1]) == (0, "2 jobs cancelled.")
    assert set(statuses(terminal).values()) == {"cancelled"}
    status, said = asked(terminal, "", "rm", "--status", "cancelled", "--yes")
    assert (status, said.splitlines()[-1]) == (0, "3 jobs removed.")


def test_rm_frees_the_directory_and_the_key(terminal: Any, supervisor: Any) -> None:
    write = "head -c 3000000 /dev/zero > $GREENROOM_OUTPUT_DIR/model; echo done"
    words = ("submit", "--wait", "--json", "--name", "big", "--key", "k", "--", "sh", "-c", write)
    job = terminal.json(*words)["job_id"]
    folders = Path(terminal.home, "providers", "local", "jobs")
    assert [one.name.rpartition("-")[0] for one in folders.iterdir() if not one.name.startswith(".")] == [job]
    done = terminal.type("rm", "big")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{job} big: removed, 2.9 MiB freed, ")
    assert done.stdout.endswith("events, 1 idempotency keys\n")
    assert list(folders.iterdir()) == []
    assert terminal.json("jobs", "--json") == []
    missing = terminal.type("rm", "big")
    assert (missing.returncode, missing.stderr) == (1, "greenroom: there is no job 'big'\n")
    assert terminal.json(*words)["job_id"] != job


def test_jobs_are_listed_by_what_people_ask_for(terminal: Any, supervisor: Any) -> None:
    for index in range(3):
        submit(terminal, f"train-{index}", "--org", "lab")
    submit(terminal, "other")

    def listed(*words: str) -> list[str]:
        return [job["config_name"] for job in terminal.json("jobs", "--json", *words)]

    trains = ["train-2", "train-1", "train-0"]
    assert listed("--name", "train-*") == trains
    assert listed("--org", "lab", "--name", "*-[01]") == trains[1:]
    assert listed("--since", "1h") == ["other", *trains]
    assert listed("--until", "1h") == listed("--since", "2100-01-01") == []
    assert listed("--since", "2000-01-01", "--limit", "2") == ["other", "train-2"]
    assert listed("--all", "--limit", "1") == ["other", *trains]
    assert terminal.type("jobs", "--name", "x*").stdout == "There are no jobs.\n"
    bad = terminal.type("jobs", "--since", "yesterday")
    assert (bad.returncode, "--since: must be a time such as" in bad.stderr) == (2, True)
    page = terminal.type("jobs", "--name", "train-*", "--limit", "1").stdout.splitlines()[-1]
    assert page.startswith("more: greenroom jobs --name 'train-*' --before ")
    assert orjson.dumps(trains)
