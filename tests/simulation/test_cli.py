"""`python -m actors.simulation`: which worlds, what it says of them, how it ends."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from actors.simulation.checker import Checker
from actors.simulation.cli import Numbers, main, written
from actors.simulation.states import MAY_FOLLOW


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("text", "numbers"), [("3", (3,)), ("1-4", (1, 2, 3, 4)), ("1-2,9,11-12", (1, 2, 9, 11, 12)), ("5-4", ())]
)
def test_numbers_are_written_as_people_write_them(text, numbers):
    assert Numbers().convert(text, None, None) == numbers


@pytest.mark.parametrize("text", ["", "a", "1-", "-3", "1--2", "1.5"])
def test_what_is_no_list_of_numbers_is_a_usage_error(text):
    result = run("--seeds", text)
    assert result.exit_code == 2
    assert "not a list of whole numbers such as 1-100 or 3,17" in result.output


def test_the_summary_counts_what_was_done_and_reached():
    result = run("--seeds", "1-2", "--hours", "0.3")
    assert result.exit_code == 0
    assert re.match(r"2 seeds, [0-9.]+ simulated hours, [1-9][0-9]* jobs, [1-9]", result.output)
    assert re.search(r"times as fast as the clock, 0 failed", result.output)
    possible = sum(map(len, MAY_FOLLOW.values()))
    assert re.search(rf"transitions: [1-9][0-9]* of {possible} were taken", result.output)


def test_several_workers_say_the_same_as_one():
    def printed(workers):
        # A process of its own: the workers' resource tracker lives as long as the process that started them.
        command = (sys.executable, "-m", "actors.simulation", "--seeds", "1-3", "--hours", "0.1", "--workers", workers)
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return [line for line in done.stdout.splitlines() if "times as fast" not in line]

    assert printed("2") == printed("1")


def test_a_failure_ends_with_status_one_its_trace_and_the_command_that_shows_it_again(monkeypatch):
    monkeypatch.setattr(
        Checker, "_exceeded", lambda self, _seconds: ["a limit that nobody may reach"] if len(self.runs) == 3 else []
    )
    result = run("--seeds", "1-2", "--hours", "0.3")
    assert result.exit_code == 1
    assert "seed 1 fails: limits hold as the provider sees them" in result.output
    assert "VIOLATION limits hold as the provider sees them" in result.output
    command = re.search(r"^again: python -m actors\.simulation (.*)$", result.output, re.MULTILINE)
    digest = re.search(r"^trace ([0-9a-f]{64})$", result.output, re.MULTILINE)
    again = run(*command[1].split())
    assert again.exit_code == 1
    assert digest[0] in again.output


def test_steps_are_named_as_the_command_line_takes_them():
    assert written([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert Numbers().convert(written([0, 1, 2, 5, 7, 8]), None, None) == (0, 1, 2, 5, 7, 8)
