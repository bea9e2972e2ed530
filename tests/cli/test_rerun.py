"""A job that runs again, as a user sees it: submit --rerun, show, logs --attempt, the page of a job file."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from tests.cli.conftest import rest_of, until

# The first attempt is interrupted as by a shutdown of the machine, the second one asks to be run again, the third ends.
SCRIPT = """
echo attempt $GREENROOM_ATTEMPT begins
cat "$GREENROOM_PREVIOUS_OUTPUT_DIR/kept" 2> /dev/null
echo of $GREENROOM_ATTEMPT > $GREENROOM_OUTPUT_DIR/kept
[ $GREENROOM_ATTEMPT = 1 ] && kill -TERM $PPID && sleep 1000
[ $GREENROOM_ATTEMPT = 2 ] && exit 75
exit 0
"""
RERUN = ("--rerun", "3", "--rerun-on", "interrupted,exit:75", "--rerun-delay", "0.1s")


def test_a_job_goes_on_after_an_interruption_and_shows_its_attempts(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--wait", "--json", "--name", "again", *RERUN, "--", "sh", "-c", SCRIPT)
    assert (job["status"], job["reruns"], job["exit_code"], job["error_message"]) == ("completed", 2, 0, None)
    assert job["rerun"] == {"times": 3, "on": ["interrupted"], "exit_codes": [75], "delay": 0.1}
    found = terminal.json("show", job["job_id"], "--json")["attempts"]
    assert [(one["attempt"], one["status"], one["exit_code"]) for one in found] == [
        (1, "interrupted", None), (2, "failed", 75), (3, "completed", 0),
    ]  # fmt: skip
    assert len({one["output_url"] for one in found}) == 3
    assert all(one["started_at"] <= one["completed_at"] for one in found)
    shown = terminal.type("show", job["job_id"]).stdout
    assert re.search(r"rerun: +up to 3 times after interrupted, exit:75, 2 so far\n", shown)
    assert re.search(
        r"attempts: +1  interrupted  ran .*, but nobody requested a cancel\n +2  failed  ran .*\n +3  comp", shown
    )
    assert terminal.type("logs", job["job_id"]).stdout == "attempt 3 begins\nof 2\n"
    assert terminal.type("logs", "--attempt", "1", job["job_id"]).stdout == "attempt 1 begins\n"
    assert terminal.type("logs", "--attempt", "2", "--tail", "1", job["job_id"]).stdout == "of 1\n"
    refused = terminal.type("logs", "--attempt", "4", job["job_id"])
    assert (refused.returncode, "has no output of an attempt 4; its newest is 3" in refused.stderr) == (1, True)


def test_the_output_of_all_attempts_is_followed(terminal: Any, supervisor: Any) -> None:
    """Each attempt ends when its beginning was read."""
    gated = SCRIPT.replace("[ $GREENROOM_ATTEMPT = 1 ]", "cat gate-$GREENROOM_ATTEMPT\n[ $GREENROOM_ATTEMPT = 1 ]")
    for attempt in (1, 2, 3):
        os.mkfifo(terminal.cwd / f"gate-{attempt}")
    job = terminal.json("submit", "--json", *RERUN, "--", "sh", "-c", gated)
    following = terminal.start("logs", "--follow", job["job_id"])
    followed = []
    for attempt in (1, 2, 3):
        followed += until(following, f"attempt {attempt} begins")
        (terminal.cwd / f"gate-{attempt}").write_text("")
    text = "".join(followed) + rest_of(following)
    assert re.findall(r"attempt \d begins|of \d$|attempt \d follows", text, re.MULTILINE) == [
        "attempt 1 begins", "attempt 2 follows", "attempt 2 begins", "of 1",
        "attempt 3 follows", "attempt 3 begins", "of 2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--rerun-on", "failed"], "--rerun-on needs --rerun N"),
        (["--rerun", "1", "--rerun-on", "interupted"], "did you mean interrupted?"),
        (["--rerun", "1", "--rerun-on", "exit:zero"], "exit:STATUS"),
        (["--rerun", "1", "--rerun-delay", "1h90"], "must be a duration"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(terminal: Any, words: list[str], fault: str) -> None:
    refused = terminal.type("submit", *words, "--", "true")
    assert (refused.returncode, fault in " ".join(refused.stderr.split())) == (2, True), refused.stderr


def test_a_job_file_says_it_and_a_wrong_word_is_refused_with_its_line(
    terminal: Any, supervisor: Any, job_file: Any
) -> None:
    name = job_file("jobs:\n  - {command: ['true'], rerun: {times: 2, on: [failed], delay: 1m}}\n")
    (job,) = terminal.json("submit", "--json", "--file", name)
    assert job["rerun"] == {"times": 2, "on": ["failed"], "exit_codes": [], "delay": 60.0}
    wrong = job_file("jobs:\n  - command: ['true']\n    rerun: {times: 2, on: [faild]}\n")
    refused = terminal.type("submit", "--file", wrong)
    assert refused.returncode == 2
    assert "jobs.yaml:3:28: jobs[0].rerun.on[0]: cannot be 'faild'; did you mean failed?" in refused.stderr
