"""What ``show`` tells of a job."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from actors.cli.details import print_details

PROGRESS = 'echo "{\\"step\\": 3, \\"loss\\": 0.123456789}" > $GREENROOM_PROGRESS_FILE; sleep 0.1'


def test_a_job_that_ran_once_has_no_attempts_and_no_inner_matters(terminal: Any, supervisor: Any) -> None:
    terminal.type("submit", "--wait", "--name", "x", "--", "sh", "-c", PROGRESS)
    shown = terminal.type("show", "x").stdout
    assert re.search(r"status: +completed\n", shown)
    assert not re.search(r"^ +(attempt|max_attempts|attempts|position|submission|not_before):", shown, re.MULTILINE)


def test_numbers_have_four_digits(capsys: pytest.CaptureFixture[str], terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--json", "--", "true")
    job = terminal.json("show", "--json", job["job_id"])
    print_details(job | {"progress": {"step": 30000, "loss": 0.123456789}, "result": {"a": {"b": 2.000049}}})
    shown = capsys.readouterr().out
    assert re.search(r"progress: +step 30000, loss 0.1235\n", shown)
    assert re.search(r"result: +a b 2\n", shown)


def test_the_id_at_the_provider_is_shown(capsys: pytest.CaptureFixture[str], terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--json", "--", "true")
    job = terminal.json("show", "--json", job["job_id"])
    print_details(job | {"provider": "slurm", "submission": {"handle": {"id": 814}}})
    assert re.search(r"submission: +id 814 at slurm\n", capsys.readouterr().out)


def test_the_attempt_is_counted_as_the_program_counts_it(terminal: Any, supervisor: Any) -> None:
    script = "exit $((GREENROOM_ATTEMPT == 1 ? 75 : 0))"
    rerun = ("--rerun", "1", "--rerun-on", "exit:75", "--rerun-delay", "0.1s")
    done = terminal.type("submit", "--wait", "--name", "x", *rerun, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    shown = terminal.type("show", "x").stdout
    assert re.search(r" attempt: +2\n", shown)
    assert re.search(r"rerun: +up to 1 time after exit:75, 1 so far\n", shown)


def test_a_job_that_waits_for_an_approval_says_how_to_approve_it(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--json", "--needs-approval", "dear", "--", "true")
    asked = job["approval"]["approval_id"][-12:]
    assert re.search(rf"approval: +pending, greenroom approve {asked}\n", terminal.type("show", job["job_id"]).stdout)


def test_the_only_attempt_of_a_job_that_was_put_back_is_shown(terminal: Any, supervisor: Any) -> None:
    rerun = ("--rerun", "2", "--rerun-on", "failed", "--rerun-delay", "1h")
    terminal.type("submit", "--name", "x", *rerun, "--", "false")
    deadline = time.monotonic() + 60
    while not terminal.json("show", "--json", "x")["reruns"]:
        assert time.monotonic() < deadline
    terminal.type("cancel", "x")
    assert re.search(r"attempts: +1 +failed +ran .* exit status 1", terminal.type("show", "x").stdout)
