"""Values of options that ``submit`` refuses, and what ``show`` says of those that it takes."""

from __future__ import annotations

import re
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--cost", "nan"), "must be a finite number, not 'nan'"),
        (("--cost", "-inf"), "must be a finite number, not '-inf'"),
        (("--cost", "much"), "must be a finite number, not 'much'"),
        (("--level", "led"), "'led' is not a level; did you mean lead?"),
        (("--level", "lead", "--level", "boss"), "'boss' is not a level; known are viewer, researcher, lead, admin"),
    ],
)
def test_what_submit_refuses_itself(terminal: Any, words: tuple[str, ...], fault: str) -> None:
    refused = terminal.type("submit", *words, "--", "true")
    assert refused.returncode == 2
    assert fault in " ".join(refused.stderr.split())


def test_empty_names_are_refused_and_cost_and_level_are_shown(terminal: Any, supervisor: Any) -> None:
    for option, field in (("--name", "config_name"), ("--group", "group"), ("--user", "user_id")):
        refused = terminal.type("submit", option, "", "--", "true")
        assert (refused.returncode, f"{field}: must not be empty" in refused.stderr) == (2, True), refused.stderr
    refused = terminal.type("submit", "--name", "a\x1b[2Jb", "--", "true")
    assert (refused.returncode, "must not hold control characters" in refused.stderr) == (2, True), refused.stderr
    assert terminal.json("jobs", "--json") == []
    job = terminal.json("submit", "--json", "--cost", "2.5", "--level", "lead", "--", "true")
    assert (job["estimated_cost"], job["user_levels"]) == (2.5, ["lead"])
    shown = terminal.type("show", job["job_id"]).stdout
    assert re.search(r"^ +estimated_cost: +2\.5$", shown, re.MULTILINE)
    assert re.search(r"^ +user_levels: +lead$", shown, re.MULTILINE)
    plain = terminal.json("submit", "--json", "--", "true")["job_id"]
    assert not {"estimated_cost:", "user_levels:"} & set(terminal.type("show", plain).stdout.split())
